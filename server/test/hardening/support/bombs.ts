import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { ClientStreamRequestSchema } from "@rollcall/gen/stream/v1/stream";

const UPLOAD = "/stream.v1.StreamService/ClientStream";
/**
 * Size of the largest accepted message, in bytes. Compressed, it takes some 30 bytes (br), 4,000 (gzip) or 200 (zstd).
 */
const LARGEST_BYTES = 4 * 1024 ** 2 - 64;
const codings = { br: brotliCompressSync, gzip: gzipSync, zstd: zstdCompressSync };

export type Coding = keyof typeof codings;

/** Returns the envelope of a compressed message of this size. */
function bombOf(coding: Coding, bytes: number): Buffer {
  const message = create(ClientStreamRequestSchema, { chunk: Buffer.alloc(bytes) });
  return envelope(codings[coding](toBinary(ClientStreamRequestSchema, message)));
}

function envelope(compressed: Buffer): Buffer {
  const head = Buffer.of(1, 0, 0, 0, 0);
  head.writeUInt32BE(compressed.length, 1);
  return Buffer.concat([head, compressed]);
}

export interface BombOptions {
  readonly coding: Coding;
  readonly streams: number;
  /** Number of messages in each stream. */
  readonly messages: number;
  /** Inflated size of each message, in bytes. Default: the largest accepted one. */
  readonly bytes?: number;
}

/** Sends bombs on many streams, and returns the answers. */
export async function sendBombs(
  url: string,
  headers: Record<string, string>,
  { coding, streams, messages, bytes = LARGEST_BYTES }: BombOptions,
): Promise<string[]> {
  const bomb = bombOf(coding, bytes);
  const client = connect(url);
  const answers = Array.from({ length: streams }, () => {
    const stream = client.request({
      ":method": "POST",
      ":path": UPLOAD,
      "content-type": "application/connect+proto",
      "connect-content-encoding": coding,
      ...headers,
    });
    stream.end(Buffer.concat(Array.from({ length: messages }, () => bomb)));
    return text(stream);
  });
  const texts = await Promise.all(answers);
  client.destroy();
  return texts;
}
