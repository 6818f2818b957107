import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { grpc } from "@improbable-eng/grpc-web";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const { bidirectionalStream, clientStream } = StreamService.method;
type Streaming = typeof bidirectionalStream | typeof clientStream;

/** Message in the form that the original client expects, which serializes itself. */
class Message {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array = new Uint8Array()) {
    this.bytes = bytes;
  }
  static deserializeBinary(bytes: Uint8Array): Message {
    return new Message(bytes);
  }
  serializeBinary(): Uint8Array {
    return this.bytes;
  }
  toObject(): object {
    return {};
  }
}

/** Makes a call by the client that the protocol comes from. */
async function call<M extends Streaming>(
  url: string,
  method: M,
  token: string,
  requests: MessageInitShape<M["input"]>[],
) {
  const { promise, resolve } = Promise.withResolvers<{ code: number; message: string; replies: Uint8Array[] }>();
  const replies: Uint8Array[] = [];
  const client = grpc.client(
    {
      methodName: method.name,
      service: { serviceName: method.parent.typeName },
      requestStream: true,
      responseStream: method.methodKind === "bidi_streaming",
      requestType: Message,
      responseType: Message,
    },
    { host: url, transport: grpc.WebsocketTransport() },
  );
  client.onMessage((message) => replies.push((message as Message).bytes));
  client.onEnd((code, message) => resolve({ code, message, replies }));
  client.start(new grpc.Metadata({ authorization: `Bearer ${token}` }));
  for (const request of requests) client.send(new Message(toBinary(method.input, create(method.input, request))));
  client.finishSend();
  return promise;
}

test("the original client makes a bidirectional call", async () => {
  await using server = await startServer();
  const { code, replies } = await call(server.url, bidirectionalStream, await server.token(), [
    { message: "a" },
    { message: "b" },
  ]);
  expect(code).toBe(grpc.Code.OK);
  expect(replies.map((bytes) => fromBinary(bidirectionalStream.output, bytes).reply)).toEqual(["Echo: a", "Echo: b"]);
});

test("the original client uploads", async () => {
  await using server = await startServer();
  const chunk = new Uint8Array(100_000);
  const { code, replies } = await call(server.url, clientStream, await server.token(), [{ chunk }, { chunk }]);
  expect(code).toBe(grpc.Code.OK);
  expect(replies.map((bytes) => fromBinary(clientStream.output, bytes).totalBytes)).toEqual([200_000n]);
});

test("the original client sees a refusal", async () => {
  await using server = await startServer();
  const { code, message } = await call(server.url, bidirectionalStream, "nothing", []);
  expect([code, message]).toEqual([grpc.Code.Unauthenticated, "invalid token"]);
});
