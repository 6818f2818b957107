import type { DescMethod } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { type BidiRequest, type ClientStreamRequest, StreamService } from "@rollcall/gen/stream/v1/stream";
import type { Streams } from "../../service/streams.ts";

/** Methods whose handlers no longer need the bytes of a message when they ask for the next one. */
export const keepNothing: ReadonlySet<DescMethod> = new Set([StreamService.method.clientStream]);

/** Implements stream.v1.StreamService with the streaming use cases. */
export function streamHandlers(streams: Streams): ServiceImpl<typeof StreamService> {
  return {
    serverStream({ query }, { signal }) {
      return streams.search(query, signal);
    },
    async clientStream(requests) {
      const { totalBytes, checksum } = await streams.upload(chunksOf(requests));
      return { totalBytes: BigInt(totalBytes), checksum };
    },
    async *bidirectionalStream(requests) {
      for await (const reply of streams.echo(messagesOf(requests))) yield { reply };
    },
  };
}

async function* chunksOf(requests: AsyncIterable<ClientStreamRequest>): AsyncIterable<Uint8Array> {
  for await (const { chunk } of requests) yield chunk;
}

async function* messagesOf(requests: AsyncIterable<BidiRequest>): AsyncIterable<string> {
  for await (const { message } of requests) yield message;
}
