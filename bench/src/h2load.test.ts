import { expect, test } from "vitest";
import { parseH2load } from "./h2load.ts";

function outputWith(requests: string): string {
  return [
    "Main benchmark duration is over for thread #0. Stopping all clients.",
    "",
    "finished in 500.50ms, 37344.00 req/s, 4.67MB/s",
    `requests: ${requests}`,
    "status codes: 74752 2xx, 0 3xx, 0 4xx, 0 5xx",
    "traffic: 9.34MB (9792006) total, 219.08KB (224342) headers (space savings 96.10%), 7.13MB (7475200) data",
    "                     min         max         mean         sd        +/- sd",
  ].join("\n");
}

test("counts calls, time and bytes", () => {
  const output = outputWith("74688 total, 74752 started, 74688 done, 74688 succeeded, 0 failed, 0 errored, 0 timeout");
  expect(parseH2load(output)).toEqual({ calls: 74_688, seconds: 0.5005, dataBytes: 7_475_200 });
});

test("calls that failed stop the bench", () => {
  const output = outputWith("10 total, 10 started, 10 done, 9 succeeded, 1 failed, 1 errored, 0 timeout");
  expect(() => parseH2load(output)).toThrow("calls have failed");
});

test("other output is no result", () => {
  expect(() => parseH2load("error: unknown option")).toThrow("something else");
});
