import { until } from "../../server/test/harness.ts";

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
    // The wait itself is a timer.
    assertNone: () => until(() => activeResources().length <= before + 1),
    count: () => activeResources().length - before,
  };
}
