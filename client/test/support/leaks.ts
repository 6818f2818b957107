import { until } from "@rollcall/testing/start-server";
import { afterEach, beforeEach } from "vitest";

const KINDS = /^(TCPSocketWrap|TLSWrap|Timeout|PipeWrap|TCPConnectWrap|HTTP2SESSION)/i;

/** The sockets and timers that keep this process busy now. */
function activeResources(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => KINDS.test(kind));
}

/**
 * Notes what is open now; `assertNone` waits until no more is open than then. It
 * never resolves while something leaks, so that the test's time limit fails it.
 */
export function watchForLeaks() {
  const before = activeResources().length;
  return {
    openCount: () => activeResources().length - before,
    // The wait itself is a timer.
    assertNone: () => until(() => activeResources().length <= before + 1),
  };
}

/** Lets every test of a file fail that leaves a socket or timer behind. */
export function checkEachForLeaks(): void {
  let leaks: ReturnType<typeof watchForLeaks>;
  beforeEach(() => {
    leaks = watchForLeaks();
  });
  afterEach(() => leaks.assertNone());
}
