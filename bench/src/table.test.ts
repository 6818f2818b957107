import { expect, test } from "vitest";
import { formatSpread, writeTable } from "./table.ts";

const calls = { name: "perSecond", title: "calls/s", unit: "calls/s", digits: 0, isRate: true };

test("a table has a row for each contestant, and dashes for what is unknown", () => {
  const table = writeTable({
    name: "get",
    title: "GetUser",
    metrics: [calls, { name: "cpuMicros", title: "CPU µs a call", unit: "µs", digits: 1 }],
    entries: [
      {
        contestant: "bare-http2",
        label: "node:http2",
        values: {
          perSecond: { median: 40_000, min: 39_000, max: 41_000.4 },
          cpuMicros: { median: 20, min: 20, max: 20 },
        },
        ofHttp2: 1,
        ofHttp: undefined,
      },
      {
        contestant: "rollcall",
        label: "Rollcall",
        values: { perSecond: { median: 22_000, min: 22_000, max: 22_000 } },
        ofHttp2: 0.55,
        ofHttp: undefined,
      },
    ],
  });
  expect(table.split("\n")).toEqual([
    "GetUser                       calls/s  CPU µs a call  of node:http2",
    "----------  -------------------------  -------------  -------------",
    "node:http2  40,000 (39,000 to 41,000)           20.0          1.000",
    "Rollcall                       22,000              –          0.550",
  ]);
});

test("a spread without width is one number", () => {
  expect(formatSpread({ median: 1.26, min: 1.26, max: 1.26 }, { digits: 1 })).toBe("1.3");
  expect(formatSpread({ median: 2, min: 1, max: 3 }, { digits: 0 })).toBe("2 (1 to 3)");
  expect(formatSpread(undefined, { digits: 0 })).toBe("–");
});
