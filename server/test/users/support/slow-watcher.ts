import { fromBinary } from "@bufbuild/protobuf";
import { UserService, WatchUsersResponseSchema } from "@rollcall/gen/user/v1/user";
import { DATA, END_STREAM, frame, HEADERS, postTo, RawHttp2, uint32, WINDOW_UPDATE } from "@rollcall/testing/raw/http2";
import { statusIn } from "./status-in.ts";

const HEAD_BYTES = 5;
/** Room for some 60 events. The server has to keep further ones. */
const WINDOW_BYTES = 16_384;

/** A watcher that reads as much as its window holds and then stops, over HTTP/2 by hand. */
export class SlowWatcher implements AsyncDisposable {
  readonly #client: RawHttp2;
  readonly #streamId: number;

  private constructor(client: RawHttp2, streamId: number) {
    this.#client = client;
    this.#streamId = streamId;
  }

  static async start(port: number, headers: { authorization: string }): Promise<SlowWatcher> {
    const client = await RawHttp2.open(port, { initialWindowBytes: WINDOW_BYTES });
    const path = `/${UserService.typeName}/${UserService.method.watchUsers.name}`;
    const more = { "content-type": "application/grpc", te: "trailers", ...headers };
    const streamId = client.request(postTo(path, more));
    client.send(frame(DATA, END_STREAM, streamId, Buffer.alloc(HEAD_BYTES)));
    await client.next(({ type, streamId: id }) => type === DATA && id === streamId);
    return new SlowWatcher(client, streamId);
  }

  /** Reads everything from now on. */
  readOn(): void {
    const window = uint32(2 ** 30);
    this.#client.send(frame(WINDOW_UPDATE, 0, this.#streamId, window), frame(WINDOW_UPDATE, 0, 0, window));
  }

  /** Returns the number of changes received, and the last resume token. */
  seen(): { changes: number; token: string } {
    const id = this.#streamId;
    const frames = this.#client.received.filter(({ type, streamId }) => type === DATA && streamId === id);
    const bytes = Buffer.concat(frames.map(({ payload }) => payload));
    let token = "";
    let changes = 0;
    for (let at = 0; at + HEAD_BYTES <= bytes.length; ) {
      const next = at + HEAD_BYTES + bytes.readUInt32BE(at + 1);
      if (next > bytes.length) break;
      const { resumeToken, changeId } = fromBinary(WatchUsersResponseSchema, bytes.subarray(at + HEAD_BYTES, next));
      token = resumeToken || token;
      if (changeId !== "") changes += 1;
      at = next;
    }
    return { changes, token };
  }

  /** Reads to the end of the stream, and returns its status. */
  async readRest(): Promise<number> {
    this.readOn();
    const isEnd = ({ type, flags, streamId }: { type: number; flags: number; streamId: number }) =>
      type === HEADERS && streamId === this.#streamId && (flags & END_STREAM) !== 0;
    const end = await this.#client.next(isEnd);
    return statusIn(end?.payload);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    await this.#client.closed;
  }
}
