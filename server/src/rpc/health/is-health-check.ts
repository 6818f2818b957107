import type { DescMethod } from "@bufbuild/protobuf";

/** Name of the service whose calls are probes: neither overload nor a rate refuses them. */
export const HEALTH_SERVICE = "grpc.health.v1.Health";

/** Returns whether a method checks the server's health once, also where a host implements it. */
export function isHealthCheck({ parent, methodKind }: DescMethod): boolean {
  return methodKind === "unary" && parent.typeName === HEALTH_SERVICE;
}
