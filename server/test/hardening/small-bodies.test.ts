import { once } from "node:events";
import { Agent } from "node:http";
import http2 from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { ClientStreamRequestSchema } from "@rollcall/gen/stream/v1/stream";
import { rawRequest } from "@rollcall/testing/raw/http";
import { DATA, END_STREAM, frame, postTo, RawHttp2 } from "@rollcall/testing/raw/http2";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

// `attack-frames.slow.test.ts` has the control: bodies in pieces of one byte end their connection.
const limits = { tinyPieces: { burst: 20, perSecond: 1 } };
const LIST = "/user.v1.UserService/ListUsers";

test("whole bodies of two bytes are no tiny pieces, over HTTP/1.1", async () => {
  await using server = await startServer({ limits });
  const { authorization } = await server.auth();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { "content-type": "application/json", authorization };
  for (let call = 0; call < 100; call += 1) {
    expect((await rawRequest("POST", server.url + LIST, headers, "{}", agent)).status).toBe(200);
  }
  agent.destroy();
});

test("nor over HTTP/2", async () => {
  await using server = await startServer({ limits });
  const { authorization } = await server.auth();
  const session = http2.connect(server.url);
  for (let call = 0; call < 100; call += 1) {
    const stream = session.request({ ...postTo(LIST), "content-type": "application/json", authorization });
    stream.resume().end("{}");
    const [answer] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
    expect(answer[":status"]).toBe(200);
  }
  session.destroy();
});

test("nor are the ends of messages that fuller pieces begin", async () => {
  await using server = await startServer({ limits });
  const client = await RawHttp2.open(server.port);
  const { authorization } = await server.auth();
  const message = encodeEnvelope(
    0,
    toBinary(ClientStreamRequestSchema, create(ClientStreamRequestSchema, { chunk: new Uint8Array(90) })),
  );
  const headers = { "content-type": "application/grpc", te: "trailers", authorization };
  const streamId = client.request(postTo("/stream.v1.StreamService/ClientStream", headers));
  for (let sent = 0; sent < 100; sent += 1) {
    client.send(frame(DATA, 0, streamId, message.subarray(0, -2)));
    client.send(frame(DATA, 0, streamId, message.subarray(-2)));
  }
  client.send(frame(DATA, END_STREAM, streamId));
  const line = await until(() => client.isClosed || server.log.find(({ msg }) => msg === "call"));
  expect(line).toMatchObject({ code: "ok", requestBytes: 100 * message.length });
  client.destroy();
});
