import type { AppOptions } from "@rollcall/server";
import { createTestServer, type TestServer } from "@rollcall/server/testing";
import { rpcEngine } from "./rpc-engine.ts";

export type { TestServer };

/** Boots the real server on a free port; it stops at the end of the `await using` block. */
export function startServer(options: Partial<AppOptions> = {}): Promise<TestServer> {
  return createTestServer({ rpcEngine, ...options });
}

/** Waits until `check` returns something, and returns that; the test's own time limit bounds it. */
export async function until<T>(check: () => T | undefined | false): Promise<T> {
  for (;;) {
    const result = check();
    if (result !== undefined && result !== false) return result;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
