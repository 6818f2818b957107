import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { ClientStreamRequestSchema } from "@rollcall/gen/stream/v1/stream";

const UPLOAD = "/stream.v1.StreamService/ClientStream";
const message = toBinary(
  ClientStreamRequestSchema,
  create(ClientStreamRequestSchema, { chunk: Buffer.alloc(4 * 1024 ** 2 - 64) }),
);
/** Messages of 4 MiB in some 30, some 4,000 and some 200 bytes. */
const bombs = {
  br: envelope(brotliCompressSync(message)),
  gzip: envelope(gzipSync(message)),
  zstd: envelope(zstdCompressSync(message)),
};

function envelope(compressed: Buffer): Buffer {
  const head = Buffer.of(1, 0, 0, 0, 0);
  head.writeUInt32BE(compressed.length, 1);
  return Buffer.concat([head, compressed]);
}

/** Sends bombs on many streams, and gives what they are answered. */
export async function sendBombs(
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
