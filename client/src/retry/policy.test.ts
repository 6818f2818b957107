import { Code, ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { expect, test } from "vitest";
import { delayAfter } from "./policy.ts";

const HOUR_MS = 3_600_000;

test.each([
  [-315_360_000, 0],
  [0, 0],
  [60, 60_000],
  [315_360_000, HOUR_MS],
])("a server that asks for %d seconds gets at least %d ms, and the backoff", (seconds, askedMs) => {
  const details = [{ desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(seconds) } } }];
  const byDetails = new ConnectError("busy", Code.Unavailable, undefined, details);
  const byHeader = new ConnectError("busy", Code.Unavailable, { "retry-after": String(Math.max(0, seconds)) });
  for (const error of [byDetails, byHeader]) {
    const delayMs = delayAfter(error, 1, { backoff: () => 500 });
    expect(delayMs).toBeGreaterThanOrEqual(askedMs);
    expect(delayMs).toBeLessThan(askedMs + 500);
  }
});
