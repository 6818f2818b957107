import { expect, test } from "vitest";
import { drainUnderLoad } from "./support/drain-under-load.ts";

const ROUNDS = 10;

test.each([
  ["plaintext", false],
  ["TLS", true],
])("ten stops under load, with 500 open streams, fail no call, over %s", { timeout: 900_000 }, async (_name, tls) => {
  const failures: string[] = [];
  const resets: string[] = [];
  let answered = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const result = await drainUnderLoad({ tls, openStreams: 500 });
    failures.push(...result.failures.map((failure) => `${round}: ${failure}`));
    resets.push(...result.resets);
    answered += result.answered;
    expect(result).toMatchObject({ streamsFinished: 500, exitCode: 0 });
  }
  process.stdout.write(
    `${ROUNDS} stops: ${answered} calls answered, ${failures.length} failed, ${resets.length} reset\n`,
  );
  expect(failures).toEqual([]);
  expect(resets.length).toBeLessThan(answered / 100);
});
