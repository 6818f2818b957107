import { expect, test } from "vitest";
import { rpcStatus } from "./rpc-status.ts";

test.each([
  ["grpc", "ok", "OK"],
  ["grpc", "not_found", "NOT_FOUND"],
  ["grpc", "canceled", "CANCELLED"],
  ["connectrpc", "canceled", "canceled"],
])("%s writes %s as %s", (system, code, written) => {
  expect(rpcStatus(system, code)).toBe(written);
});
