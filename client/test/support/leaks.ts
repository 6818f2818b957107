import { until } from "@rollcall/testing/start-server";
import { afterEach, beforeEach } from "vitest";

const KINDS = /^(TCPSocketWrap|TLSWrap|Timeout|PipeWrap|TCPConnectWrap|HTTP2SESSION)/i;

/** Returns the sockets and timers that keep this process busy now. */
function activeResources(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => KINDS.test(kind));
}

/**
 * Counts the open resources. `assertNone` waits until there are no more than now. It never resolves while something
 * leaks, so that the test fails by its time limit.
 */
export function watchForLeaks() {
  const before = activeResources().length;
  return {
    openCount: () => activeResources().length - before,
    // The wait itself is a timer.
    assertNone: () => until(() => activeResources().length <= before + 1),
  };
}

/** Fails each test of a file that leaves a socket or timer open. */
export function checkEachForLeaks(): void {
  let leaks: ReturnType<typeof watchForLeaks>;
  beforeEach(() => {
    leaks = watchForLeaks();
  });
  afterEach(() => leaks.assertNone());
}
