/** Envelopes that a unary request may have besides the one of its message. */
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const message = encodeEnvelope(0, toBinary(StringValueSchema, create(StringValueSchema, { value: "a" })));
const trailers = encodeEnvelope(0x80, Buffer.from("a: b\r\n"));

async function statusOf(server: TestServer, contentType: string, parts: readonly Uint8Array[]): Promise<string> {
  const response = await fetch(`${server.url}/probe.v1.ProbeService/Unary`, {
    method: "POST",
    headers: { ...(await server.auth()), "content-type": contentType },
    body: Buffer.concat(parts),
  });
  // gRPC-Web sends its status in the body, or in the headers if the answer has no body.
  const body = Buffer.from(await response.arrayBuffer()).toString("latin1");
  return /grpc-status: ?(\d+)/.exec(body)?.[1] ?? response.headers.get("grpc-status") ?? "";
}

test.each([
  ["its message", [message], "0"],
  ["trailers behind it, which mean nothing", [message, trailers], "0"],
  ["trailers alone", [trailers], "12"],
  ["nothing", [], "12"],
  ["a second message", [message, message], "12"],
  ["a part of a second envelope", [message, message.subarray(0, 3)], "3"],
  ["a message that is flagged as compressed", [Buffer.concat([Buffer.of(1), message.subarray(1)])], "13"],
])("over gRPC-Web: %s", async (_name, parts, status) => {
  await using server = await startServer(withProbe({ unary: (request) => request }));
  expect(await statusOf(server, "application/grpc-web+proto", parts)).toBe(status);
});

test("what stands behind the message is bounded in memory", async () => {
  await using server = await startServer({ ...withProbe({ unary: (request) => request }), maxMessageBytes: 10_000 });
  const rest = Array.from({ length: 20_000 }, () => trailers);
  const status = await statusOf(server, "application/grpc-web+proto", [message, ...rest]);
  // Connect's carrier never buffers the rest, and reads it to its end.
  expect(status).toBe(process.env.RPC_ENGINE === "stock" ? "0" : "8");
});
