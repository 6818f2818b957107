import { AsyncLocalStorage } from "node:async_hooks";
import { availableParallelism } from "node:os";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { nextTurn } from "../runtime/loop-turn.ts";
import { Permits } from "../runtime/permits.ts";
import { connectionKey, principalKey } from "./call.ts";

type Request = Parameters<UniversalHandler>[0];

/** What a coding works for. Connect passes it nothing but bytes. */
interface Work {
  readonly request: Request;
  readonly permits: Permits;
}

const storage = new AsyncLocalStorage<Work>();

/** Large messages that are inflated or deflated at once, by default: one core is left for the event loop. */
const defaultThreads = Math.max(1, availableParallelism() - 1);

/** Returns a stage whose calls take turns in {@link inLine}. */
export function createCodingLine(threads = defaultThreads): (handler: UniversalHandler) => UniversalHandler {
  const permits = new Permits(threads);
  return (handler) => {
    const linedUp = async (request: Request) => {
      const work = { request, permits };
      const response = await storage.run(work, handler, request);
      // A bidirectional stream reads its requests while its answer is read.
      return response.body ? { ...response, body: runEach(response.body, work) } : response;
    };
    return Object.assign(linedUp, handler);
  };
}

function runEach(chunks: AsyncIterable<Uint8Array>, work: Work): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = chunks[Symbol.asyncIterator]();
      return {
        next: () => storage.run(work, () => iterator.next()),
        return: async (value) => (await iterator.return?.(value)) ?? { done: true, value },
        throw: (error) => iterator.throw?.(error) ?? Promise.reject(error),
      };
    },
  };
}

/**
 * Does a large piece of work on another thread when its caller's turn has come:
 * 25 bytes of brotli become 4 MiB, and a client may send thousands at once. The next
 * one begins after the loop has turned, so that what comes of this one, which is
 * parsed and handled at once, is followed by others' work and never piles up.
 *
 * @throws The reason of the call's signal, when that is aborted before the work begins.
 */
export async function inLine<T>(work: () => Promise<T>): Promise<T> {
  const current = storage.getStore();
  if (!current) return work();
  const { request, permits } = current;
  const owner = request.contextValues?.get(principalKey)?.subject ?? request.contextValues?.get(connectionKey).peer;
  await permits.acquire(request.signal, owner);
  try {
    return await work();
  } finally {
    nextTurn().then(() => permits.release());
  }
}
