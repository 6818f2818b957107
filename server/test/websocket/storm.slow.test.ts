import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { storm } from "./support/storm.ts";

test("valid calls beside broken HTTP/1.1 are answered, however they are cut", async () => {
  await using server = await startServer();
  const { succeeded, failures, broken } = await storm(server, { calls: 300, parallel: 8, broken: 8 });
  expect(failures).toEqual([]);
  expect(succeeded).toBe(300);
  expect(broken).toBeGreaterThan(20);
});
