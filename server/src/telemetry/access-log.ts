import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import type { CallObserver } from "../rpc/record/call-record.ts";

/** Logs one line for each call, when the call ends. */
export function createAccessLog(logger: Logger): CallObserver {
  return (call, { code, durationMs }) => {
    const { requestId, method, protocol, requestBytes, responseBytes, peer, principal, resource } = call;
    logger.info(
      {
        requestId,
        method,
        protocol,
        code: code === undefined ? "ok" : codeToString(code),
        durationMs: Math.round(durationMs * 1_000) / 1_000,
        requestBytes,
        responseBytes,
        peer,
        principal: principal?.subject,
        resource,
      },
      "call",
    );
  };
}
