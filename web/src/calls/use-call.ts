import { Code, ConnectError, type ContextValues, createContextValues } from "@connectrpc/connect";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useFirstSign } from "../ui/use-first-sign.ts";
import { CallRecord, type CallSnapshot, recordKey } from "./call-record.ts";
import { preloadTransport } from "./streams-client.ts";

export interface RecordedCall {
  /** State of the latest call; undefined before the first one. */
  readonly snapshot: CallSnapshot | undefined;
  readonly running: boolean;
  /**
   * Makes the options of a new call, which replaces the previous one.
   *
   * @param answersAtOnce Whether the server answers at once. If so, the call is ended when no answer begins.
   */
  begin(answersAtOnce: boolean): { signal: AbortSignal; contextValues: ContextValues };
  cancel(): void;
}

const NEVER = () => () => {};
/** Interval at which a call's duration is shown anew while nothing else happens, in milliseconds. */
const TICK_MS = 250;
/** Longest wait for the start of an answer that should come at once, in milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;

/** Records a page's one call, and cancels it when the page is left. */
export function useCall(): RecordedCall {
  const [record, setRecord] = useState<CallRecord>();
  const controller = useRef<AbortController>(undefined);
  const snapshot = useSyncExternalStore(record?.subscribe ?? NEVER, () => record?.snapshot());
  const running = snapshot?.state === "running";
  useFirstSign(preloadTransport);
  useEffect(() => () => controller.current?.abort(), []);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => record?.update(() => ({})), TICK_MS);
    return () => clearInterval(timer);
  }, [record, running]);
  return {
    snapshot,
    running,
    begin(answersAtOnce) {
      controller.current?.abort();
      const ends = new AbortController();
      controller.current = ends;
      const next = new CallRecord();
      setRecord(next);
      // A proxy may take a request, or even open a WebSocket, and pass nothing on.
      if (answersAtOnce) setTimeout(() => next.isUnanswered && ends.abort(unanswered()), ANSWER_TIMEOUT_MS);
      return { signal: ends.signal, contextValues: createContextValues().set(recordKey, next) };
    },
    cancel: () => controller.current?.abort(),
  };
}

function unanswered(): ConnectError {
  const text = `no answer within ${ANSWER_TIMEOUT_MS / 1_000} s: something between this page and the server may hold it back`;
  return new ConnectError(text, Code.Unavailable);
}
