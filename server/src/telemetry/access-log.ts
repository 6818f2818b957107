import type { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import type { CallFacts, CallObserver, Outcome } from "../rpc/record/call-record.ts";
import { toJsonText } from "./logger.ts";

/**
 * Health checks come every few seconds, from anybody, and say nothing new, so they are logged at the debug level only.
 */
const HEALTH_METHODS = "grpc.health.v1.Health/";

/** Destination of whole lines of the log. */
export interface LogOutput {
  write(line: string): unknown;
}

/**
 * Logs one line for each call, when the call ends.
 *
 * @param output Destination of the logger's lines. If it is given, the line is built here in a tenth of the time, which
 * pays since each call logs one, and all have the same fields.
 */
export function createAccessLog(logger: Logger, output?: LogOutput): CallObserver {
  return (call, outcome) => {
    if (!logger.isLevelEnabled("info")) return;
    if (call.method.startsWith(HEALTH_METHODS)) {
      logger.debug(fieldsOf(call, outcome), "call");
      return;
    }
    if (output) output.write(lineOf(call, outcome));
    else logger.info(fieldsOf(call, outcome), "call");
  };
}

function fieldsOf(call: CallFacts, { code, durationMs }: Outcome) {
  const { requestId, trace, method, protocol, requestBytes, responseBytes, peer, principal, resource } = call;
  return {
    requestId,
    traceId: trace?.traceId,
    method,
    protocol,
    code: nameOf(code),
    durationMs: roundToMicroseconds(durationMs),
    requestBytes,
    responseBytes,
    peer,
    principal: principal?.subject,
    resource,
  };
}

/** Builds the same line as the logger would. Only values that a caller chose have to be escaped. */
function lineOf(call: CallFacts, { code, durationMs }: Outcome): string {
  const { requestId, trace, method, protocol, requestBytes, responseBytes, peer, principal, resource } = call;
  return (
    `{"level":"info","time":"${isoTime()}","requestId":"${requestId}"` +
    (trace === undefined ? "" : `,"traceId":"${trace.traceId}"`) +
    `,"method":"${method}"` +
    (protocol === undefined ? "" : `,"protocol":"${protocol}"`) +
    `,"code":"${nameOf(code)}","durationMs":${roundToMicroseconds(durationMs)}` +
    `,"requestBytes":${requestBytes},"responseBytes":${responseBytes},"peer":"${peer}"` +
    (principal === undefined ? "" : `,"principal":${toJsonText(principal.subject)}`) +
    (resource === undefined ? "" : `,"resource":${toJsonText(resource)}`) +
    `,"msg":"call"}\n`
  );
}

function nameOf(code: Code | undefined): string {
  return code === undefined ? "ok" : codeToString(code);
}

function roundToMicroseconds(durationMs: number): number {
  return Math.round(durationMs * 1_000) / 1_000;
}

let lastMs = 0;
let lastText = "";

/** Returns the time as ISO 8601 (RFC 3339). The text is kept for reuse, since many calls end within a millisecond. */
function isoTime(): string {
  const nowMs = Date.now();
  if (nowMs !== lastMs) {
    lastMs = nowMs;
    lastText = new Date(nowMs).toISOString();
  }
  return lastText;
}
