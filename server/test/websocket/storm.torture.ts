import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { storm } from "./support/storm.ts";

// Four calls were once refused in a storm of this size.
test("120,000 valid calls beside broken HTTP/1.1 are answered", { timeout: 3_600_000 }, async () => {
  await using server = await startServer();
  const { succeeded, failures } = await storm(server, { calls: 120_000, parallel: 16, broken: 32 });
  expect(failures).toEqual([]);
  expect(succeeded).toBe(120_000);
});
