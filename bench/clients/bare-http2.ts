/** The limit for clients that are built on node:http2: constant requests, and answers that are not parsed. */
import type { ClientHttp2Session } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { GetUserRequestSchema, GetUserResponseSchema } from "@rollcall/gen/user/v1/user";
import { envelope } from "../contestants/shared/messages.ts";
import { callUnary, openSession } from "../load/grpc-session.ts";
import { measureClient } from "./measure.ts";

const PATH = "/user.v1.UserService/GetUser";

await measureClient(({ url, token, userId, protocol }) => {
  const session = openSession(url);
  const message = toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id: userId }));
  const body = envelope(message);
  const get =
    protocol === "grpc"
      ? () => callUnary(session, PATH, token, body)
      : () => callConnect(session, PATH, token, message);
  return {
    check: async () => fromBinary(GetUserResponseSchema, await get()).user?.name ?? "",
    getUser: async () => {
      await get();
      return 1;
    },
  };
});

/** Makes a unary call of Connect, as cheaply as node:http2 can. */
function callConnect(session: ClientHttp2Session, path: string, token: string, body: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/proto",
      "connect-protocol-version": "1",
      authorization: `Bearer ${token}`,
    });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => resolve(Buffer.concat(chunks)));
    stream.on("error", reject);
    stream.end(body);
  });
}
