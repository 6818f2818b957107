import type { DescMethod } from "@bufbuild/protobuf";

/** Service whose calls are probes: neither overload nor a rate limit refuses them. */
export const HEALTH_SERVICE = "grpc.health.v1.Health";

/** Returns whether a method is a single health check, including one that a host implements. */
export function isHealthCheck({ parent, methodKind }: DescMethod): boolean {
  return methodKind === "unary" && parent.typeName === HEALTH_SERVICE;
}
