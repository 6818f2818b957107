import http2 from "node:http2";
import { buffer } from "node:stream/consumers";
import { create, toJsonString } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { withProbe } from "@rollcall/testing/probe-service";
import { postTo } from "@rollcall/testing/raw/http2";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { readMetrics } from "../telemetry/support/read-metrics.ts";

const UNARY = "/probe.v1.ProbeService/Unary";
const UPLOAD = "/probe.v1.ProbeService/ClientStream";
const KIB = 1_024;

const messageOf = (bytes: number) =>
  Buffer.from(toJsonString(StringValueSchema, create(StringValueSchema, { value: "a".repeat(bytes) })));

const openUnaryCalls = async (url: string) => (await readMetrics(url)).value("rollcall_calls_open", { kind: "unary" });

test.each(["direct", "stock"] as const)(
  "a body that the server does not read for others of its connection is not late; one that does not come is (%s)",
  async (rpcEngine) => {
    // A busy machine may not have read the large message in time. Then the limit is longer.
    for (let bodyTimeoutMs = 300; !(await isHeldServed(rpcEngine, bodyTimeoutMs)); bodyTimeoutMs *= 4) {
      expect(bodyTimeoutMs).toBeLessThan(10_000);
    }
  },
);

/**
 * Returns whether a body that is held back for others got its answer. Asserts that a body that does not arrive is late.
 */
async function isHeldServed(rpcEngine: "direct" | "stock", bodyTimeoutMs: number): Promise<boolean> {
  let hasBegun = false;
  const probe = withProbe({
    unary: ({ value }) => ({ value: `${value.length}` }),
    async clientStream(requests) {
      for await (const _ of requests) hasBegun = true;
      return {};
    },
  });
  const limits = { maxConnectionBytes: 24 * KIB };
  await using server = await startServer({ ...probe, rpcEngine, limits, timeouts: { bodyTimeoutMs } });
  const auth = await server.auth();
  const [client, other] = [http2.connect(server.url), http2.connect(server.url)];
  const post = (session: http2.ClientHttp2Session, path: string, type: string) =>
    session.request(postTo(path, { ...auth, "content-type": `application/${type}` }));

  const upload = post(client, UPLOAD, "connect+json");
  upload.write(encodeEnvelope(0, messageOf(1)));
  await until(() => hasBegun);
  const held = post(client, UNARY, "json");
  // A connection that holds too much starts no more calls, so this one has to have begun.
  await expect.poll(async () => held.closed || (await openUnaryCalls(server.url)) === 1).toBe(true);
  const answer = buffer(held);
  const large = encodeEnvelope(0, messageOf(28 * KIB));
  upload.write(large.subarray(0, -1));
  // It is larger than a stream's window, and is therefore held before all of it has arrived.
  held.end(messageOf(40 * KIB));

  // Their time starts later, and is over when they have their answers.
  for (let i = 0; i < 2; i++) {
    const late = post(other, UNARY, "json");
    late.write(messageOf(1).subarray(0, -1));
    expect(JSON.parse(String(await buffer(late)))).toMatchObject({ message: "the request did not arrive in time" });
  }
  const isClosed = held.closed;
  upload.end(large.subarray(-1));
  const text = String(await answer);
  const isLate = text.includes("did not arrive in time");
  if (!isLate) expect([isClosed, text]).toEqual([false, `"${40 * KIB}"`]);
  client.destroy();
  other.destroy();
  return !isLate;
}
