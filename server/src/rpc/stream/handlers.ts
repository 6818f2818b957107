import type { ServiceImpl } from "@connectrpc/connect";
import type { BidiRequest, ClientStreamRequest, StreamService } from "@rollcall/gen/stream/v1/stream";
import type { Streams } from "../../service/streams.ts";

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
