import { expect, test } from "vitest";
import { drainUnderLoad } from "./drain-load.ts";

test.each([
  ["plaintext", false],
  ["TLS", true],
])("a stop under load fails no call that had a connection, over %s", { timeout: 120_000 }, async (_name, tls) => {
  const { failures, answeredAfterSignal, ...result } = await drainUnderLoad({ tls, openStreams: 50 });
  expect(failures).toEqual([]);
  expect(result).toMatchObject({ streamsFinished: 50, exitCode: 0 });
  expect(answeredAfterSignal).toBeGreaterThan(0);
});
