/**
 * Tests that each fault on the server ends its call with a status, in the caller's protocol, and is never taken for
 * success.
 */
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { connectJson, connectStream, grpc, grpcWeb, openRequest } from "@rollcall/testing/open-request";
import { type ProbeHandlers, withProbe } from "@rollcall/testing/probe-service";
import { begin, body, HALF_CLOSE } from "@rollcall/testing/raw/web-socket";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

/** Text with a character that is cut in two, as in messages that quote a part of the sent data. */
const HALF_A_CHARACTER = "cut here: \ud83d";
/** Value that `Headers` accept but HTTP cannot carry. */
const CONTROL = "a\u0001b";

interface Fault {
  readonly name: string;
  readonly code: Code;
  /** Fails a call, whether or not it has sent anything. */
  fail(context: HandlerContext): void;
}

const faults: Fault[] = [
  {
    name: "throws an error whose message is no Unicode",
    code: Code.Aborted,
    fail() {
      throw new ConnectError(HALF_A_CHARACTER, Code.Aborted);
    },
  },
  {
    name: "throws what is no error",
    code: Code.Internal,
    fail() {
      throw "a string";
    },
  },
  {
    name: "sets a header that can't be sent",
    code: Code.Internal,
    fail: ({ responseHeader }) => responseHeader.set("x-broken", CONTROL),
  },
  {
    name: "sets a trailer that can't be sent",
    code: Code.Internal,
    fail: ({ responseTrailer }) => responseTrailer.set("x-broken", CONTROL),
  },
];

function handlers({ fail }: Fault): ProbeHandlers {
  return {
    unary(_request, context) {
      fail(context);
      return { value: "a user" };
    },
    async *serverStream(request, context) {
      if (request.value === "late") yield { value: "one" };
      fail(context);
      yield { value: "two" };
    },
  };
}

const wholeProto = Buffer.from([0x0a, 1, 0x78]);
const rows = [
  { protocol: "Connect", method: "Unary", ...connectJson, bytes: Buffer.from('"x"'), versions: ["1.1", "2"] },
  {
    protocol: "Connect",
    method: "ServerStream",
    ...connectStream,
    bytes: encodeEnvelope(0, Buffer.from('"x"')),
    versions: ["1.1", "2"],
  },
  {
    protocol: "a begun Connect",
    method: "ServerStream",
    ...connectStream,
    bytes: encodeEnvelope(0, Buffer.from('"late"')),
    versions: ["1.1", "2"],
  },
  { protocol: "gRPC-Web", method: "Unary", ...grpcWeb, bytes: encodeEnvelope(0, wholeProto), versions: ["1.1", "2"] },
  {
    protocol: "gRPC-Web",
    method: "ServerStream",
    ...grpcWeb,
    bytes: encodeEnvelope(0, wholeProto),
    versions: ["1.1", "2"],
  },
  { protocol: "gRPC", method: "Unary", ...grpc, bytes: encodeEnvelope(0, wholeProto), versions: ["2"] },
  {
    protocol: "a begun gRPC",
    method: "ServerStream",
    ...grpc,
    bytes: encodeEnvelope(0, Buffer.from([0x0a, 4, ...Buffer.from("late")])),
    versions: ["2"],
  },
].flatMap(({ versions, ...row }) =>
  versions.map((httpVersion) => ({ ...row, httpVersion: httpVersion as "1.1" | "2" })),
);

describe.each(faults)("a handler that $name", (fault) => {
  test.each(rows)(
    "over $protocol $method, HTTP/$httpVersion",
    async ({ protocol, method, contentType, bytes, httpVersion }) => {
      await using server = await startServer(withProbe(handlers(fault)));
      const request = await openRequest(server, httpVersion, `/probe.v1.ProbeService/${method}`, {
        "content-type": contentType,
        ...(await server.auth()),
      });
      request.end(bytes);
      const { code, status } = await request.answer;
      // A header that is set after the first message is too late to do harm. Connect sends the trailers of streams as
      // JSON.
      const isHarmless =
        (fault.name.includes("header") && protocol.startsWith("a begun")) ||
        (fault.name.includes("trailer") &&
          (contentType === connectStream.contentType || contentType === grpcWeb.contentType));
      if (isHarmless) return expect(code).toBe(undefined);
      expect([fault.code, Code.Internal]).toContain(code);
      if (contentType === connectJson.contentType) expect(status).toBeGreaterThanOrEqual(400);
      const line = await until(() => server.log.find(({ msg }) => msg === "call"));
      // A trailer is refused after the last byte, when the call's line is already written.
      if (!fault.name.includes("trailer")) expect(line).toMatchObject({ code: codeToString(code ?? Code.Unknown) });
      const reports = server.log.filter(({ msg }) => msg === "call failed");
      expect(reports).toMatchObject(code === Code.Internal ? [{ level: "error" }] : []);
    },
  );

  test("over a WebSocket", async () => {
    await using server = await startServer(withProbe(handlers(fault)));
    const socket = await begin(server, "/probe.v1.ProbeService/Unary");
    socket.ws.send(body(encodeEnvelope(0, wholeProto)));
    socket.ws.send(HALF_CLOSE);
    const { status } = await socket.closed;
    if (fault.name.includes("set")) return expect(status).toEqual(expect.any(Number));
    expect([fault.code, Code.Internal]).toContain(status);
  });
});
