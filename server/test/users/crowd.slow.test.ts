import { expect, test } from "vitest";
import { startMeasuredServer } from "../hardening/support/measured-server.ts";
import { Crowd } from "./support/crowd.ts";

test("each of 200 watchers gets each change; crowd.torture.ts measures more of them", async () => {
  await using server = await startMeasuredServer({ dropsLog: true });
  await using crowd = await Crowd.start(server, 200);
  const figures = await crowd.follow(100, 1);
  expect(figures).toMatchObject({ events: figures.expected, ended: 0, encodingsAChange: 1 });
  expect(figures.p50Ms).toBeGreaterThan(0);
});
