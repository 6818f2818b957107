import type { HandlerContext } from "@connectrpc/connect";
import { abortable } from "@rollcall/shared/abortable";
import type { OpenStreams } from "../open-streams.ts";
import { type Answer, answer, type Question, type Schemas } from "./answer.ts";

export interface ReflectionOptions {
  openStreams: OpenStreams;
  /** Returns the contracts of all services. Called for each stream. */
  schemas(): Schemas;
}

/** Answer with its request, with the fields that both versions of the contract have. */
interface Reply<Request> {
  validHost: string;
  originalRequest: Request;
  messageResponse: Answer;
}

/** Implements grpc.reflection.v1.ServerReflection, and its older version v1alpha, which has the same messages. */
export function reflectionHandlers({ openStreams, schemas }: ReflectionOptions) {
  return {
    async *serverReflectionInfo<Request extends Question & { host: string }>(
      requests: AsyncIterable<Request>,
      context: HandlerContext,
    ): AsyncIterable<Reply<Request>> {
      const { reflectionIdleMs, reflectionRequests } = openStreams.limits;
      const stream = openStreams.open(context);
      const idle = new AbortController();
      const timer = setTimeout(() => idle.abort(), reflectionIdleMs);
      const known = schemas();
      const sent = new Set<string>();
      const iterator = requests[Symbol.asyncIterator]();
      try {
        for (let count = 0; count < reflectionRequests; count++) {
          const result = await abortable(abortable(iterator.next(), stream.signal), idle.signal);
          if (result.done) return;
          timer.refresh();
          const { value } = result;
          yield { validHost: value.host, originalRequest: value, messageResponse: answer(value, known, sent) };
        }
      } catch (error) {
        // An idle stream ends without an error: a returning client opens another one.
        if (!idle.signal.aborted || stream.signal.aborted) throw error;
      } finally {
        clearTimeout(timer);
        stream.close();
      }
    },
  };
}
