/** A message that is too large is resource_exhausted, in every protocol, before and after compression. */
import { Agent } from "node:http";
import { type Client, Code, createClient } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { connections, createCellTransport, errorOf, plainCells, startServerFor } from "@rollcall/testing/matrix";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const maxMessageBytes = 1_024;
/** Just below the limit, including the tag and length of its field, or JSON's quotes. */
const fits = "x".repeat(1_000);
const tooLarge = "x".repeat(500_000);

/** Longer than the tests' own time limit: a test fails by that if its server keeps anything of a refused request. */
const shutdownGraceMs = 600_000;

const echo = withProbe({
  unary: (request) => request,
  async *serverStream(request) {
    yield request;
  },
  async clientStream(requests) {
    let last = {};
    for await (const request of requests) last = request;
    return last;
  },
});

type Call = (probe: Client<typeof ProbeService>, value: string) => Promise<unknown>;

const calls: Record<string, Call> = {
  unary: (probe, value) => probe.unary({ value }),
  "server stream": (probe, value) => Array.fromAsync(probe.serverStream({ value })),
  "client stream, at its second message": (probe, value) =>
    probe.clientStream(
      (async function* () {
        yield { value: fits };
        yield { value };
      })(),
    ),
};

describe.each(plainCells)("$protocol over $connection", (cell) => {
  test.each(Object.entries(calls))("%s: request too large", async (_kind, call) => {
    await using server = await startServerFor(cell, { ...echo, maxMessageBytes, shutdownGraceMs });
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    await call(probe, fits);
    expect(await errorOf(call(probe, tooLarge))).toMatchObject({ code: Code.ResourceExhausted });
  });

  test.each([compressionGzip, compressionBrotli])(
    "request too large once it is decompressed: $name",
    async (compression) => {
      await using server = await startServerFor(cell, { ...echo, maxMessageBytes });
      const transport = await createCellTransport(server, cell, { sendCompression: compression, compressMinBytes: 0 });
      const probe = createClient(ProbeService, transport);
      for (const call of Object.values(calls)) {
        await call(probe, fits);
        server.log.length = 0;
        expect(await errorOf(call(probe, tooLarge))).toMatchObject({ code: Code.ResourceExhausted });
        const line = await until(() => server.log.find(({ msg }) => msg === "call"));
        // The message was not too large in its compressed form.
        expect(line.requestBytes).toBeLessThan(maxMessageBytes);
        expect(line).toMatchObject({ code: "resource_exhausted" });
      }
    },
  );
});

describe("by hand over HTTP/1.1", () => {
  test("Connect GET: message too large", async () => {
    await using server = await startServerFor(connections.http1, { ...echo, maxMessageBytes });
    const { authorization } = await server.auth();
    const get = (value: string) => {
      const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify(value) });
      return rawRequest("GET", `${server.url}/probe.v1.ProbeService/Unary?${query}`, { authorization });
    };
    expect(await get(fits)).toMatchObject({ status: 200 });
    const { status, body } = await get("x".repeat(2_000));
    expect(status).toBe(429);
    expect(JSON.parse(body.toString())).toMatchObject({ code: "resource_exhausted" });
  });

  test.each(["application/grpc-web+proto", "application/connect+proto"])(
    "%s: an envelope that claims 4 GiB is refused for its claim",
    async (contentType) => {
      await using server = await startServerFor(connections.http1, { ...echo, maxMessageBytes });
      const { authorization } = await server.auth();
      const send = (envelope: Uint8Array) =>
        rawRequest(
          "POST",
          `${server.url}/probe.v1.ProbeService/ServerStream`,
          { authorization, "content-type": contentType },
          envelope,
        );
      const empty = encodeEnvelope(0, new Uint8Array());
      await send(empty);
      await send(Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff));
      const [control, refused] = await until(() => {
        const lines = server.log.filter(({ msg }) => msg === "call");
        return lines.length === 2 && lines;
      });
      expect(control).toMatchObject({ code: "ok", requestBytes: 5 });
      expect(refused).toMatchObject({ code: "resource_exhausted", requestBytes: 5 });
    },
  );

  test("what comes of a request after its answer is dropped, and the next request answered", async () => {
    const { promise: never } = Promise.withResolvers<never>();
    const handlers = withProbe({
      async clientStream(requests) {
        for await (const _first of requests) await never;
        return {};
      },
    });
    await using server = await startServerFor(connections.http1, handlers);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const headers = {
      ...(await server.auth()),
      "content-type": "application/connect+proto",
      "connect-timeout-ms": "20",
    };
    // The rest is more than all buffers between client and server hold.
    const upload = Buffer.concat([encodeEnvelope(0, new Uint8Array()), Buffer.alloc(32 * 1024 ** 2)]);
    const url = `${server.url}/probe.v1.ProbeService/ClientStream`;
    const refused = await rawRequest("POST", url, headers, upload, agent);
    expect(refused.body.toString()).toContain("deadline_exceeded");
    expect(await rawRequest("GET", `${server.url}/healthz`, {}, "", agent)).toMatchObject({ status: 200 });
    // The same connection is used, and no other.
    expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
    agent.destroy();
  });
});
