import { expect, test } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { isSupportedNode } from "./node-version.ts";

test.each([
  ["20.20.2", false],
  ["22.12.0", false],
  ["22.13.0", true],
  ["26.10.0", true],
])("Node.js %s is taken: %j", (version, expected) => {
  expect(isSupportedNode(version)).toBe(expected);
});

test("the manifest says the same", () => {
  expect(packageJson.engines.node).toBe(">=22.13");
});
