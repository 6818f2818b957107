import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "pino";
import { principalKey } from "../rpc/context.ts";
import type { CallObserver } from "../rpc/record/observe-calls.ts";

/** Writes one line a call, a stream's at its end. */
export function createAccessLog(logger: Logger): CallObserver {
  return (call, error, values) => {
    const { requestId, method, protocol, peer, startedAtMs, requestBytes, responseBytes, resource } = call;
    logger.info(
      {
        requestId,
        method,
        protocol,
        code: error === undefined ? "ok" : codeToString(error),
        durationMs: Math.round((performance.now() - startedAtMs) * 1_000) / 1_000,
        requestBytes,
        responseBytes,
        peer,
        principal: values.get(principalKey)?.subject,
        resource,
      },
      "call",
    );
  };
}
