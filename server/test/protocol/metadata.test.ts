/** Headers and trailers, as each protocol carries them. */
import {
  Code,
  ConnectError,
  createClient,
  decodeBinaryHeader,
  encodeBinaryHeader,
  type HandlerContext,
} from "@connectrpc/connect";
import {
  createCellTransport,
  errorOf,
  plainCells,
  plainConnections,
  protocolCells,
  startServerFor,
} from "@rollcall/testing/matrix";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { rawCall } from "@rollcall/testing/raw/call";
import { describe, expect, test } from "vitest";

const bytes = Uint8Array.of(0, 1, 127, 128, 255);

/** Answers with the call's metadata, as a header and as a trailer. */
function echoMetadata({ requestHeader, responseHeader, responseTrailer }: HandlerContext): void {
  for (const [from, to] of [
    ["x-text", "text"],
    ["x-bytes-bin", "bytes-bin"],
  ] as const) {
    const value = requestHeader.get(from);
    if (value === null) continue;
    responseHeader.set(`x-header-${to}`, value);
    responseTrailer.set(`x-trailer-${to}`, value);
  }
}

const handlers = withProbe({
  async unary(_request, context) {
    echoMetadata(context);
    return {};
  },
  async *serverStream({ value }, context) {
    echoMetadata(context);
    yield {};
    if (value === "fail") throw new ConnectError("failed", Code.Aborted, { "x-error": "of the error" });
  },
  async clientStream(requests, context) {
    for await (const _request of requests);
    echoMetadata(context);
    return {};
  },
  async *bidiStream(requests, context) {
    echoMetadata(context);
    for await (const _request of requests) yield {};
  },
});

/** The headers and trailers that a client sees, each in its place. */
class Seen {
  header = new Headers();
  trailer = new Headers();
  readonly options = {
    headers: { "x-text": "plain text", "x-bytes-bin": encodeBinaryHeader(bytes) },
    onHeader: (header: Headers) => {
      this.header = header;
    },
    onTrailer: (trailer: Headers) => {
      this.trailer = trailer;
    },
  };

  check(): void {
    for (const [place, headers, other] of [
      ["header", this.header, this.trailer],
      ["trailer", this.trailer, this.header],
    ] as const) {
      expect(headers.get(`x-${place}-text`)).toBe("plain text");
      expect(decodeBinaryHeader(headers.get(`x-${place}-bytes-bin`) ?? "")).toEqual(bytes);
      expect(other.has(`x-${place}-text`)).toBe(false);
    }
    expect(this.header.get("x-request-id")).toMatch(/./);
  }
}

describe.each(plainCells)("headers and trailers: $protocol over $connection", (cell) => {
  test("unary", async () => {
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const seen = new Seen();
    await probe.unary({}, seen.options);
    seen.check();
  });

  test("server stream", async () => {
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const seen = new Seen();
    await Array.fromAsync(probe.serverStream({}, seen.options));
    seen.check();
  });

  test("client stream", async () => {
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const seen = new Seen();
    await probe.clientStream(oneMessage(), seen.options);
    seen.check();
  });

  test.each(["direct", "stock"] as const)("a stream's end that is compressed: %s", async (rpcEngine) => {
    await using server = await startServerFor(cell, { ...handlers, rpcEngine });
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const text = "long ".repeat(400).trim();
    const seen = new Seen();
    await Array.fromAsync(probe.serverStream({}, { ...seen.options, headers: { "x-text": text } }));
    expect(seen.trailer.get("x-trailer-text")).toBe(text);
  });

  test("of an error at a stream's end, beside its own metadata", async () => {
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const { headers } = new Seen().options;
    const error = await errorOf(Array.fromAsync(probe.serverStream({ value: "fail" }, { headers })));
    expect(error.code).toBe(Code.Aborted);
    expect(error.metadata.get("x-error")).toBe("of the error");
    expect(error.metadata.get("x-trailer-text")).toBe("plain text");
  });

  test("a request id that the client chose is kept", async () => {
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const seen = new Seen();
    await probe.unary({}, { onHeader: seen.options.onHeader, headers: { "x-request-id": "order-66/retry-1" } });
    expect(seen.header.get("x-request-id")).toBe("order-66/retry-1");
  });
});

describe.each(protocolCells)("headers and trailers: $protocol over $connection", (cell) => {
  test("bidi stream", async () => {
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const seen = new Seen();
    await Array.fromAsync(probe.bidiStream(oneMessage(), seen.options));
    seen.check();
  });
});

async function* oneMessage(): AsyncIterable<Record<string, never>> {
  yield {};
}

describe.each(plainConnections)("blanks around a value over $connection", (connection) => {
  test.each(["direct", "stock"] as const)("are no part of it: %s", async (rpcEngine) => {
    const seen: unknown[] = [];
    const options = withProbe({
      unary(_request, context) {
        seen.push(context.requestHeader.get("x-text"), (context.timeoutMs() ?? 0) <= 5_000);
        return {};
      },
    });
    await using server = await startServerFor(connection, { ...options, rpcEngine });
    const headers = {
      ...{ "content-type": "application/json ", "x-text": " \ta b\t ", "connect-timeout-ms": "5000 " },
      "x-request-id": " blank-1",
    };
    const path = "/probe.v1.ProbeService/Unary";
    const outcome = await rawCall(server, connection, { path, headers, body: Buffer.from('""') });
    expect([outcome.code, outcome.headers.get("x-request-id")]).toEqual(["ok", "blank-1"]);
    expect(seen).toEqual(["a b", true]);
  });
});
