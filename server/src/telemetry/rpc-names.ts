import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { rpcStatus } from "@rollcall/shared/rpc-status";

/* Names of OpenTelemetry's conventions for RPC (semantic conventions 1.45.0), as far as they are stable. */
export const RPC_SYSTEM_NAME = "rpc.system.name";
export const RPC_METHOD = "rpc.method";
export const RPC_STATUS_CODE = "rpc.status_code";
export const ERROR_TYPE = "error.type";

/** Method name for all unknown methods. */
export const OTHER_METHOD = "_OTHER";

/** Codes that mean a fault of the server: the span of such a call is an error. */
const SERVER_FAULTS: ReadonlySet<Code> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

/** Returns the system that a protocol belongs to: gRPC-Web is gRPC too. A request that is not understood has none. */
export function systemOf(protocol: string | undefined): string {
  if (protocol === "connect") return "connectrpc";
  return protocol === undefined ? "_OTHER" : "grpc";
}

/** Returns a code as the system writes it: `NOT_FOUND` in gRPC, `not_found` in Connect. */
export function statusOf(system: string, code: Code | undefined): string {
  return rpcStatus(system, codeName(code));
}

/** Returns a code in Connect's form, "ok" for success. */
export function codeName(code: Code | undefined): string {
  return code === undefined ? "ok" : codeToString(code);
}

export function isServerFault(code: Code | undefined): boolean {
  return code !== undefined && SERVER_FAULTS.has(code);
}
