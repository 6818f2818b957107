import { expect, test } from "vitest";
import { type CallFrame, type CpuProfile, sharesOf } from "./cpu-profile.ts";

const frame = (functionName: string, url = ""): CallFrame => ({ functionName, url, lineNumber: 0, columnNumber: 0 });

const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(root)"), children: [2, 3, 4, 5] },
    { id: 2, callFrame: frame("(idle)") },
    { id: 3, callFrame: frame("(garbage collector)") },
    { id: 4, callFrame: frame("read", "a.ts"), children: [6] },
    { id: 5, callFrame: frame("write", "b.ts") },
    { id: 6, callFrame: frame("get") },
  ],
  samples: [2, 3, 4, 5, 6],
  timeDeltas: [900, 10, 30, 20, 40],
};

test("shares are of the busy time, and native functions count for their callers", () => {
  expect(sharesOf(profile, ({ url }) => url)).toEqual([
    {
      place: "a.ts",
      share: 0.7,
      functions: [
        { name: "get", share: 0.4 },
        { name: "read", share: 0.3 },
      ],
    },
    { place: "b.ts", share: 0.2, functions: [{ name: "write", share: 0.2 }] },
    { place: "garbage collection", share: 0.1, functions: [] },
  ]);
});
