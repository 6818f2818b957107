/**
 * Returns a status as its RPC system writes it, by OpenTelemetry's conventions: `NOT_FOUND` in gRPC, `not_found` in
 * Connect.
 *
 * @param code Connect's name of the code, or "ok".
 */
export function rpcStatus(system: string, code: string): string {
  if (system !== "grpc") return code;
  // gRPC spells it with a double l.
  return code === "canceled" ? "CANCELLED" : code.toUpperCase();
}
