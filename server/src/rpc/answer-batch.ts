import type { Message } from "@bufbuild/protobuf";
import { ENVELOPE_HEADER_BYTES, envelopes } from "@rollcall/shared/envelope";
import type { EncodedAnswer } from "./encoded-answer.ts";
import type { Codec } from "./method-plan.ts";

/** Messages in their envelopes, uncompressed. */
export interface EncodedBatch {
  readonly bytes: Uint8Array;
  /** Size of the longest message, in bytes. */
  readonly longestBytes: number;
}

/**
 * Answers that go to many streams alike. The bytes of each format are made once, and all its streams write the same
 * buffer.
 */
export class AnswerBatch<A extends EncodedAnswer = EncodedAnswer> {
  readonly answers: readonly A[];
  readonly #encoded = new Map<Codec, EncodedBatch>();

  constructor(answers: readonly A[]) {
    this.answers = answers;
  }

  /** @throws ConnectError for a message that can't be written. */
  encode(codec: Codec): EncodedBatch {
    let encoded = this.#encoded.get(codec);
    if (!encoded) {
      const messages = this.answers.map((answer) => codec.write(answer as unknown as Message));
      const sizes = messages.map(({ byteLength }) => byteLength);
      const totalBytes = sizes.reduce((sum, size) => sum + ENVELOPE_HEADER_BYTES + size, 0);
      encoded = { bytes: envelopes(messages, totalBytes), longestBytes: Math.max(...sizes) };
      this.#encoded.set(codec, encoded);
    }
    return encoded;
  }
}

/** Answers of a handler. They can be read one by one, or in batches by a carrier that can send batches. */
export abstract class BatchedAnswers<A extends EncodedAnswer> implements AsyncIterable<A> {
  /** Returns the iterator for a reader that also takes batches. */
  abstract batches(): AsyncIterator<A | AnswerBatch<A>, undefined>;

  [Symbol.asyncIterator](): AsyncIterator<A, undefined> {
    const batches = this.batches();
    let batch: Iterator<A> | undefined;
    return {
      async next() {
        for (;;) {
          const inBatch = batch?.next();
          if (inBatch && !inBatch.done) return inBatch;
          const result = await batches.next();
          if (result.done) return result;
          const { value } = result;
          if (!(value instanceof AnswerBatch)) return { done: false, value };
          batch = value.answers.values();
        }
      },
      // Not written as a generator: its `return` would wait for a pending `next`.
      async return() {
        await batches.return?.();
        return { done: true, value: undefined };
      },
    };
  }
}
