import { Code, ConnectError, type ContextValues, createContextValues } from "@connectrpc/connect";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { observerKey } from "../api/observer.ts";
import { CallRecord, type CallSnapshot, type MessageListener } from "./call-record.ts";

export interface BegunCall {
  readonly options: { readonly signal: AbortSignal; readonly contextValues: ContextValues };
  /** Notes the error of the call, in case the client could not even begin it. */
  fail(error: unknown): void;
}

export interface RecordedCall {
  /** State of the latest call; undefined before the first one. */
  readonly snapshot: CallSnapshot | undefined;
  readonly running: boolean;
  /**
   * Makes the options of a new call, which replaces the previous one.
   *
   * @param answersAtOnce Whether the server answers immediately. If so, the call is ended when no answer begins.
   * @param onMessage Called with each message that is sent or received.
   */
  begin(answersAtOnce: boolean, onMessage?: MessageListener): BegunCall;
  cancel(): void;
}

const NEVER = () => () => {};
/** Interval at which a call's duration is updated while nothing else happens, in milliseconds. */
const TICK_MS = 250;
/** Longest wait for the start of an answer that should come immediately, in milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;

/** Records a page's one call, and cancels it when the page is left. */
export function useCall(): RecordedCall {
  const [record, setRecord] = useState<CallRecord>();
  const controller = useRef<AbortController>(undefined);
  const snapshot = useSyncExternalStore(record?.subscribe ?? NEVER, () => record?.snapshot());
  const running = snapshot?.state === "running";
  useEffect(() => () => controller.current?.abort(), []);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => record?.update(() => ({})), TICK_MS);
    return () => clearInterval(timer);
  }, [record, running]);
  return {
    snapshot,
    running,
    begin(answersAtOnce, onMessage) {
      controller.current?.abort();
      const ends = new AbortController();
      controller.current = ends;
      const next = new CallRecord(onMessage);
      setRecord(next);
      // A proxy may accept a request, or even open a WebSocket, and pass nothing on.
      if (answersAtOnce) setTimeout(() => next.isUnanswered && ends.abort(unanswered()), ANSWER_TIMEOUT_MS);
      const contextValues = createContextValues().set(observerKey, next.observe);
      return { options: { signal: ends.signal, contextValues }, fail: (error) => next.fail(error) };
    },
    cancel: () => controller.current?.abort(),
  };
}

function unanswered(): ConnectError {
  const text = `no answer within ${ANSWER_TIMEOUT_MS / 1_000} s: something between this page and the server may hold it back`;
  return new ConnectError(text, Code.Unavailable);
}
