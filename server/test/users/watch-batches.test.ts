import http2 from "node:http2";
import { gunzipSync } from "node:zlib";
import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { type UserService, type WatchUsersResponse, WatchUsersResponseSchema } from "@rollcall/gen/user/v1/user";
import { COMPRESSED, ENVELOPE_HEADER_BYTES, envelope, sizeInEnvelope } from "@rollcall/shared/envelope";
import { rpcEngine } from "@rollcall/testing/rpc-engine";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { connect } from "../support/connect.ts";

const PROTOCOLS = ["grpc", "grpc-web", "connect"];
const FORMATS = ["proto", "json"];
const CODINGS = ["gzip", "identity"];
const CHANGES = 40;
/** A name so long that its events are worth compressing. */
const LONG_NAME = "🦉".repeat(200);
const LONG_DOMAIN = `${"long.".repeat(20)}example.com`;
const SIZE_TO_COMPRESS = 1_024;

/** A stream of events that is read by its envelopes. */
class RawWatch {
  readonly name: string;
  readonly messages: { readonly flags: number; readonly bytes: Buffer }[] = [];
  /** Number of pieces of the body received. */
  pieces = 0;
  readonly #format: string;
  #rest: Buffer = Buffer.alloc(0);

  constructor(
    session: http2.ClientHttp2Session,
    protocol: string,
    format: string,
    coding: string,
    authorization: string,
  ) {
    this.name = `${protocol}+${format}, ${coding}`;
    this.#format = format;
    const path: `/${typeof UserService.typeName}/WatchUsers` = "/user.v1.UserService/WatchUsers";
    const call = session.request({
      ...{ ":method": "POST", ":path": path, te: "trailers", authorization },
      "content-type": `application/${protocol}+${format}`,
      [protocol === "connect" ? "connect-accept-encoding" : "grpc-accept-encoding"]: coding,
    });
    call.end(envelope(0, Buffer.from(format === "json" ? "{}" : "")));
    call.on("data", (piece: Buffer) => this.#take(piece));
  }

  #take(piece: Buffer): void {
    this.pieces += 1;
    const bytes = Buffer.concat([this.#rest, piece]);
    let at = 0;
    while (bytes.byteLength - at >= ENVELOPE_HEADER_BYTES) {
      const end = at + ENVELOPE_HEADER_BYTES + sizeInEnvelope(bytes, at);
      if (end > bytes.byteLength) break;
      this.messages.push({ flags: bytes[at] ?? 0, bytes: bytes.subarray(at + ENVELOPE_HEADER_BYTES, end) });
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  /** Returns the events so far. Asserts that the long ones are compressed if this stream's client accepts that. */
  read(isGzip: boolean): WatchUsersResponse[] {
    return this.messages.map(({ flags, bytes }) => {
      const message = flags & COMPRESSED ? gunzipSync(bytes) : bytes;
      expect(flags, this.name).toBe(isGzip && message.byteLength >= SIZE_TO_COMPRESS ? COMPRESSED : 0);
      return this.#format === "json"
        ? fromJsonString(WatchUsersResponseSchema, message.toString())
        : fromBinary(WatchUsersResponseSchema, message);
    });
  }
}

test("changes that come together are one write, the same for all, in every protocol, format and coding", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const { authorization } = await server.auth();
  const session = http2.connect(server.url);
  const watches = PROTOCOLS.flatMap((protocol) =>
    FORMATS.flatMap((format) =>
      CODINGS.map((coding) => ({
        isGzip: coding === "gzip",
        watch: new RawWatch(session, protocol, format, coding, authorization),
      })),
    ),
  );
  await expect.poll(() => watches.every(({ watch }) => watch.messages.length === 1)).toBe(true);
  for (const { watch } of watches) watch.pieces = 0;
  const names = Array.from({ length: CHANGES }, (_, index) => (index % 8 === 3 ? LONG_NAME : `Short ${index}`));
  await Promise.all(names.map((name, index) => users.createUser({ name, email: `u${index}@${LONG_DOMAIN}` })));
  await expect.poll(() => watches.every(({ watch }) => watch.messages.length === 1 + CHANGES)).toBe(true);
  const [first = expect.unreachable(), ...others] = watches.map(({ watch, isGzip }) => watch.read(isGzip));
  expect(first.map(({ event }) => event.case)).toEqual(["synced", ...names.map(() => "created")]);
  expect(new Set(first.map(({ changeId }) => changeId)).size).toBe(1 + CHANGES);
  // `synced` may come at a different place in each stream, with a different token.
  for (const other of others) expect(other.slice(1)).toEqual(first.slice(1));
  const compressed = watches.flatMap(({ watch }) => watch.messages.filter(({ flags }) => flags === COMPRESSED));
  expect(compressed).toHaveLength((names.filter((name) => name === LONG_NAME).length * watches.length) / 2);
  if (rpcEngine === "direct") {
    for (const { watch, isGzip } of watches) if (!isGzip) expect(watch.pieces, watch.name).toBeLessThan(CHANGES / 2);
  }
  session.destroy();
});
