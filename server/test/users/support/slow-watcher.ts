import { fromBinary } from "@bufbuild/protobuf";
import { UserService, WatchUsersResponseSchema } from "@rollcall/gen/user/v1/user";
import { DATA, END_STREAM, frame, HEADERS, postTo, RawHttp2, uint32, WINDOW_UPDATE } from "@rollcall/testing/raw/http2";
import type { MeasuredServer } from "../../hardening/support/measured-server.ts";
import { statusIn } from "./status-in.ts";

const HEAD_BYTES = 5;
/** Room for some 60 events: then the server has to keep them. */
const WINDOW_BYTES = 16_384;

/** A watcher that takes what its window holds and then nothing, over HTTP/2 by hand. */
export class SlowWatcher implements AsyncDisposable {
  readonly #client: RawHttp2;
  readonly #streamId: number;

  private constructor(client: RawHttp2, streamId: number) {
    this.#client = client;
    this.#streamId = streamId;
  }

  static async start(server: MeasuredServer): Promise<SlowWatcher> {
    const client = await RawHttp2.open(server.port, { initialWindowBytes: WINDOW_BYTES });
    const path = `/${UserService.typeName}/${UserService.method.watchUsers.name}`;
    const more = { "content-type": "application/grpc", te: "trailers", ...server.headers };
    const streamId = client.request(postTo(path, more));
    client.send(frame(DATA, END_STREAM, streamId, Buffer.alloc(HEAD_BYTES)));
    await client.next(({ type, streamId: id }) => type === DATA && id === streamId);
    return new SlowWatcher(client, streamId);
  }

  /** Reads on to the end. Returns its status, the last resume token, and the number of changes. */
  async readRest(): Promise<{ status: number; token: string; seen: number }> {
    const id = this.#streamId;
    this.#client.send(frame(WINDOW_UPDATE, 0, id, uint32(2 ** 30)), frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 30)));
    const isEnd = ({ type, flags, streamId }: { type: number; flags: number; streamId: number }) =>
      type === HEADERS && streamId === id && (flags & END_STREAM) !== 0;
    const end = await this.#client.next(isEnd);
    const frames = this.#client.received.filter(({ type, streamId }) => type === DATA && streamId === id);
    const bytes = Buffer.concat(frames.map(({ payload }) => payload));
    let token = "";
    let seen = 0;
    for (let at = 0; at < bytes.length; ) {
      const next = at + HEAD_BYTES + bytes.readUInt32BE(at + 1);
      const { resumeToken, changeId } = fromBinary(WatchUsersResponseSchema, bytes.subarray(at + HEAD_BYTES, next));
      token = resumeToken || token;
      if (changeId !== "") seen += 1;
      at = next;
    }
    return { status: statusIn(end?.payload), token, seen };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    await this.#client.closed;
  }
}
