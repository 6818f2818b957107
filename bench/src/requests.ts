import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  BidiRequestSchema,
  ClientStreamRequestSchema,
  ServerStreamRequestSchema,
} from "@rollcall/gen/stream/v1/stream";
import { GetUserRequestSchema, ListUsersRequestSchema } from "@rollcall/gen/user/v1/user";
import { envelope } from "../contestants/shared/messages.ts";
import type { Api } from "./contestants.ts";
import type { Load } from "./h2load.ts";

/** Protocol and format of a call. */
export type Wire = "grpc" | "connect-json-h1" | "connect-proto-h2";

/** The part of a load that describes the request. */
export type Request = Pick<Load, "headers" | "bodyFile" | "isHttp1"> & { readonly path: string };

export const PAGE_SIZE = 100;
/** Messages of a conversation, all in one body. */
export const CHAT_MESSAGES = 10_000;
/** Bytes of each answer of the conversation: "Echo: ping" in its envelope. */
export const CHAT_REPLY_BYTES = 17;
const CHUNK_BYTES = 64 * 1_024;
const UPLOAD_CHUNKS = 512;
/** Bytes of an upload, without their envelopes. */
export const UPLOAD_BYTES = CHUNK_BYTES * UPLOAD_CHUNKS;

export const paths = {
  getUser: "/user.v1.UserService/GetUser",
  listUsers: "/user.v1.UserService/ListUsers",
  createUser: "/user.v1.UserService/CreateUser",
  serverStream: "/stream.v1.StreamService/ServerStream",
  clientStream: "/stream.v1.StreamService/ClientStream",
  bidirectionalStream: "/stream.v1.StreamService/BidirectionalStream",
};

/** Writes the body of a request into a file of the folder, for h2load. */
export class Requests {
  readonly #folder: string;
  readonly #token: string;

  constructor(folder: string, token: string) {
    this.#folder = folder;
    this.#token = token;
  }

  getUser(id: string, wire: Wire, api: Api): Request {
    if (api === "rest") {
      const headers = { ...this.#headers(), "content-type": "application/json" };
      const bodyFile = this.#write(`rest-${id}`, Buffer.from(JSON.stringify({ id })));
      return { path: "/users/get", headers, isHttp1: true, bodyFile };
    }
    if (api === "trpc") {
      const input = encodeURIComponent(JSON.stringify({ id }));
      return { path: `/getUser?input=${input}`, headers: this.#headers(), isHttp1: true };
    }
    const message = toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id }));
    if (wire === "grpc") return this.#grpc(paths.getUser, `get-${id}`, envelope(message));
    const isHttp1 = wire === "connect-json-h1";
    return {
      path: paths.getUser,
      isHttp1,
      headers: {
        ...this.#headers(),
        "content-type": isHttp1 ? "application/json" : "application/proto",
        "connect-protocol-version": "1",
      },
      bodyFile: this.#write(`${wire}-${id}`, isHttp1 ? Buffer.from(JSON.stringify({ id })) : message),
    };
  }

  listUsers(): Request {
    const message = create(ListUsersRequestSchema, { pageSize: PAGE_SIZE });
    return this.#grpc(paths.listUsers, "list", envelope(toBinary(ListUsersRequestSchema, message)));
  }

  serverStream(): Request {
    const message = toBinary(ServerStreamRequestSchema, create(ServerStreamRequestSchema, { query: "x" }));
    return this.#grpc(paths.serverStream, "server-stream", envelope(message));
  }

  clientStream(): Request {
    const message = create(ClientStreamRequestSchema, { chunk: new Uint8Array(CHUNK_BYTES).fill(0x5a) });
    const chunk = envelope(toBinary(ClientStreamRequestSchema, message));
    return this.#grpc(paths.clientStream, "upload", Buffer.concat(Array(UPLOAD_CHUNKS).fill(chunk)));
  }

  bidirectionalStream(): Request {
    const message = envelope(toBinary(BidiRequestSchema, create(BidiRequestSchema, { message: "ping" })));
    return this.#grpc(paths.bidirectionalStream, "chat", Buffer.concat(Array(CHAT_MESSAGES).fill(message)));
  }

  #grpc(path: string, name: string, body: Uint8Array): Request {
    const headers = { ...this.#headers(), "content-type": "application/grpc", te: "trailers" };
    return { path, headers, bodyFile: this.#write(name, body) };
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#token}` };
  }

  #write(name: string, body: Uint8Array): string {
    const file = join(this.#folder, `${name}.bin`);
    writeFileSync(file, body);
    return file;
  }
}
