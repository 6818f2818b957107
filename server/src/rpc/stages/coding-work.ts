import { AsyncLocalStorage } from "node:async_hooks";
import { availableParallelism } from "node:os";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { watchStream } from "@rollcall/shared/watch-stream";
import { nextTurn } from "../../runtime/loop-turn.ts";
import { Permits } from "../../runtime/permits.ts";
import { principalKey, type RequestContext, requestContextKey } from "../context.ts";

type Request = Parameters<UniversalHandler>[0];
type Inflated = Uint8Array<ArrayBuffer>;

/** Call that a message belongs to. */
export type CodedCall = Pick<Request, "signal" | "contextValues">;

/** The call for which a coding works. Connect passes only bytes to its codings. */
interface Work {
  readonly request: CodedCall;
  readonly permits: Permits;
  /** Bytes of the last inflated message, which is kept until the next one. */
  keptBytes: number;
}

const storage = new AsyncLocalStorage<Work>();

/**
 * Default number of large messages that are inflated or deflated at the same time. One core is left for the event loop.
 */
const defaultThreads = Math.max(1, availableParallelism() - 1);

export interface CodingLine {
  /** Wraps a handler, so that its calls take turns in {@link inflateInLine}. */
  stage(handler: UniversalHandler): UniversalHandler;
  /** Returns a function that inflates and deflates for a call that did not pass the stage, one message at a time. */
  open(call: CodedCall): <T>(work: () => Promise<T>) => Promise<T>;
}

/** @param threads Large messages that are inflated or deflated at the same time. */
export function createCodingLine(threads = defaultThreads): CodingLine {
  const permits = new Permits(threads);
  return {
    stage(handler) {
      const linedUp = async (request: Request) => {
        const work = { request, permits, keptBytes: 0 };
        const response = await storage.run(work, handler, request);
        // A bidirectional stream reads its request while its answer is read.
        if (!response.body) return response;
        return { ...response, body: watchStream(response.body, { read: (next) => storage.run(work, next) }) };
      };
      return Object.assign(linedUp, handler);
    },
    open(call) {
      const work = { request: call, permits, keptBytes: 0 };
      return (code) => storage.run(work, code);
    },
  };
}

/**
 * Inflates a large message on another thread when it is the caller's turn: 25 bytes of brotli can become 4 MiB, and a
 * client may send thousands at once. The next message begins only after the event loop has turned. The result of this
 * one, which is parsed and handled at once, then leaves others their turn, and results never pile up.
 *
 * @param maxBytes Largest size of the message, for which room is requested beforehand.
 * @throws The reason of the call's signal, if that is aborted before the work begins.
 */
export async function inflateInLine(inflate: () => Promise<Inflated>, maxBytes: number): Promise<Inflated> {
  const work = storage.getStore();
  if (!work) return inflate();
  const { keep, room } = requestContextOf(work) ?? {};
  for (;;) {
    await enter(work);
    const waiting = room?.(maxBytes);
    if (!waiting) break;
    work.permits.release();
    await waiting;
  }
  try {
    const message = await inflate();
    keep?.(message.byteLength - work.keptBytes);
    work.keptBytes = message.byteLength;
    return message;
  } finally {
    leave(work);
  }
}

/**
 * Throws the reason of the call's signal if the call was aborted while a message was inflated. The message is then not
 * parsed.
 */
export function throwIfCallIsOver(): void {
  storage.getStore()?.request.signal.throwIfAborted();
}

/** Deflates a large message on another thread when it is the caller's turn. */
export async function deflateInLine(deflate: () => Promise<Inflated>): Promise<Inflated> {
  const work = storage.getStore();
  if (!work) return deflate();
  await enter(work);
  return deflate().finally(() => work.permits.release());
}

function requestContextOf({ request }: Work): RequestContext | undefined {
  return request.contextValues?.get(requestContextKey);
}

function enter(work: Work): Promise<void> {
  const { request, permits } = work;
  return permits.acquire(
    request.signal,
    request.contextValues?.get(principalKey)?.subject ?? requestContextOf(work)?.peer,
  );
}

function leave({ permits }: Work): void {
  nextTurn().then(() => permits.release());
}
