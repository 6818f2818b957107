import { type ContextValues, createContextValues } from "@connectrpc/connect";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useFirstSign } from "../components/use-first-sign.ts";
import { CallRecord, type CallSnapshot, recordKey } from "./call-record.ts";
import { preloadTransport } from "./streams-client.ts";

export interface RecordedCall {
  /** Undefined until the first call. */
  readonly snapshot: CallSnapshot | undefined;
  readonly running: boolean;
  /** Options for a new call, which takes the place of the one before. */
  begin(): { signal: AbortSignal; contextValues: ContextValues };
  cancel(): void;
}

const NEVER = () => () => {};
/** How often a call's duration is told while nothing else happens, in milliseconds. */
const TICK_MS = 250;

/** A page's one recorded call; it is canceled when the page is left. */
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
    begin() {
      controller.current?.abort();
      controller.current = new AbortController();
      const next = new CallRecord();
      setRecord(next);
      return { signal: controller.current.signal, contextValues: createContextValues().set(recordKey, next) };
    },
    cancel: () => controller.current?.abort(),
  };
}
