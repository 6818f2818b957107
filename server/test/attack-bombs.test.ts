import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { ClientStreamRequestSchema } from "@rollcall/gen/stream/v1/stream";
import { expect, test } from "vitest";
import { startBystander } from "./bystander.ts";
import { startServer } from "./harness.ts";
import { startMeasuredServer } from "./server-process.ts";

const UPLOAD = "/stream.v1.StreamService/ClientStream";
const message = toBinary(
  ClientStreamRequestSchema,
  create(ClientStreamRequestSchema, { chunk: Buffer.alloc(4 * 1024 ** 2 - 64) }),
);
/** Messages of 4 MiB in some 30 and some 4,000 bytes. */
const bombs = { br: envelope(brotliCompressSync(message)), gzip: envelope(gzipSync(message)) };

function envelope(compressed: Buffer): Buffer {
  const head = Buffer.of(1, 0, 0, 0, 0);
  head.writeUInt32BE(compressed.length, 1);
  return Buffer.concat([head, compressed]);
}

/** Sends bombs on many streams, and gives what they are answered. */
async function sendBombs(
  url: string,
  headers: Record<string, string>,
  { coding, streams, messages }: { coding: keyof typeof bombs; streams: number; messages: number },
): Promise<string[]> {
  const client = connect(url);
  const answers = Array.from({ length: streams }, () => {
    const stream = client.request({
      ":method": "POST",
      ":path": UPLOAD,
      "content-type": "application/connect+proto",
      "connect-content-encoding": coding,
      ...headers,
    });
    stream.end(Buffer.concat(Array.from({ length: messages }, () => bombs[coding])));
    return text(stream);
  });
  const texts = await Promise.all(answers);
  client.destroy();
  return texts;
}

test.each(["br", "gzip"] as const)(
  "%s bombs leave others as quick as messages in turn do",
  async (coding) => {
    const attack = async (codingThreads?: number) => {
      await using server = await startMeasuredServer(codingThreads ? { codingThreads } : {});
      const bystander = await startBystander(server.url, server.headers);
      const answers = await sendBombs(server.url, server.headers, { coding, streams: 64, messages: 3 });
      const { p99Ms, failures } = await bystander.stop();
      // Every one was an upload, and is acknowledged.
      expect(answers.filter((answer) => answer.includes("error"))).toEqual([]);
      expect(failures).toBe(0);
      return p99Ms;
    };
    const guarded = await attack();
    const open = await attack(1_000);
    expect(open).toBeGreaterThan(1.5 * guarded);
  },
  120_000,
);

test("a message whose turn does not come ends with its call, as any other does", async () => {
  await using server = await startServer({ codingThreads: 1 });
  const headers = { ...(await server.auth()), "connect-timeout-ms": "200" };
  const answers = await sendBombs(server.url, headers, { coding: "br", streams: 100, messages: 10 });
  const failed = answers.filter((answer) => answer.includes("error"));
  expect(failed).not.toHaveLength(0);
  for (const answer of failed) expect(answer).toContain("deadline_exceeded");
}, 60_000);
