import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { parseTimeout as parseConnectTimeout } from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpcTimeout } from "@connectrpc/connect/protocol-grpc";

/** The longest that a timer can wait: 2^31 - 1 ms; it fires at once beyond that. */
export const MAX_TIMER_MS = 2_147_483_647;

/** Digits that gRPC has for a timeout's value. */
const GRPC_MAX_VALUE = 99_999_999;

/**
 * The same handler, to whom no client's deadline is longer than `maxTimeoutMs`. A
 * client that asks for more is served, not refused: a very long deadline is how
 * some libraries say that there is none.
 */
export function limitDeadline(handler: UniversalHandler, maxTimeoutMs: number): UniversalHandler {
  const limited = ({ header, ...request }: Parameters<UniversalHandler>[0]) => {
    const isTooLong = ({ timeoutMs }: { timeoutMs?: number }) => timeoutMs !== undefined && timeoutMs > maxTimeoutMs;
    if (isTooLong(parseGrpcTimeout(header.get("grpc-timeout"), Number.POSITIVE_INFINITY))) {
      header.set("grpc-timeout", toGrpcTimeout(maxTimeoutMs));
    }
    if (isTooLong(parseConnectTimeout(header.get("connect-timeout-ms"), Number.POSITIVE_INFINITY))) {
      header.set("connect-timeout-ms", String(maxTimeoutMs));
    }
    return handler({ header, ...request });
  };
  return Object.assign(limited, handler);
}

/** As gRPC over HTTP/2 writes it: at most eight digits and a unit. */
function toGrpcTimeout(timeoutMs: number): string {
  return timeoutMs <= GRPC_MAX_VALUE ? `${timeoutMs}m` : `${Math.floor(timeoutMs / 1_000)}S`;
}
