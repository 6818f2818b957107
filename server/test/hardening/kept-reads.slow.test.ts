import { create, toBinary } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { BidiRequestSchema, ClientStreamRequestSchema } from "@rollcall/gen/stream/v1/stream";
import { postTo, RawHttp2 } from "@rollcall/testing/raw/http2";
import { CHAT, UPLOAD } from "@rollcall/testing/raw/web-socket";
import { until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { startMeasuredServer } from "./support/measured-server.ts";

const MIB = 1024 ** 2;

test("messages that wait for their handler keep little of what was read with them", async () => {
  await using server = await startMeasuredServer();
  const client = await RawHttp2.open(server.port, { initialWindowBytes: 0 });
  const headers = { "content-type": "application/grpc", te: "trailers", ...server.headers };
  const fillers = Array.from({ length: 3 }, () => client.request(postTo(UPLOAD, headers)));
  // Nobody reads the answers of these calls, so their handlers wait.
  const chats = Array.from({ length: 24 }, () => client.request(postTo(CHAT, headers)));
  const chunk = new Uint8Array(15_800);
  const filler = encodeEnvelope(0, toBinary(ClientStreamRequestSchema, create(ClientStreamRequestSchema, { chunk })));
  const message = encodeEnvelope(
    0,
    toBinary(BidiRequestSchema, create(BidiRequestSchema, { message: "x".repeat(4_200) })),
  );
  const mayGoOn = () => fillers.every((id) => client.window(id) >= filler.length);
  const before = await server.memoryBytes();
  let sentBytes = 0;
  for (let round = 0; round < 26; round++) {
    for (const chat of chats) {
      if (client.window(chat) < message.length) continue;
      await until(mayGoOn);
      // The server reads all of it in one read of up to 64 KiB, and Node.js returns the parts as slices of that read.
      client.socket.cork();
      for (const id of [...fillers, chat]) {
        const part = id === chat ? message : filler;
        client.sendData(id, part.length, part.length, part);
      }
      client.socket.uncork();
      sentBytes += message.length;
      await new Promise(setImmediate);
    }
  }
  const held = (await server.memoryBytes()) - before;
  expect(client.isClosed).toBe(false);
  expect(sentBytes).toBeGreaterThan(chats.length * 16 * message.length);
  // The limit covers the messages, their answers and the calls themselves. Whole reads would take 11 MiB.
  expect(held).toBeLessThan(6 * MIB);
  client.destroy();
});
