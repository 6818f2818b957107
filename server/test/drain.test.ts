import { expect, test } from "vitest";
import { drainUnderLoad } from "./drain-load.ts";

test.each([
  ["plaintext", false],
  ["TLS", true],
])("a stop under load fails no call that had a connection, over %s", { timeout: 120_000 }, async (_name, tls) => {
  const result = await drainUnderLoad({ tls, openStreams: 50 });
  console.log(result);
  expect(result.failures).toEqual([]);
  expect(result).toMatchObject({ streamsFinished: 50, exitCode: 0 });
  expect(result.answeredAfterSignal).toBeGreaterThan(0);
});
