/**
 * A million calls and a hundred thousand cancelled ones, in all protocols, in one server, whose memory must not grow.
 */

import { expect, test } from "vitest";
import {
  cancelCalls,
  growthOf,
  type ManyCallsCell,
  makeCalls,
  manyCallsCells,
  startPatientServer,
} from "./support/many-calls.ts";
import type { MeasuredServer } from "./support/measured-server.ts";

const CALLS = 1_000_000;
const CANCELLED = 100_000;
const WARM_UP = 3_000;
/** Limit on growth, in bytes: less than three for each of a million calls. */
const FLAT_BYTES = 3 * 1024 ** 2;
/** Limit on resident growth, in bytes. It is larger because the allocator keeps pages that it has used once. */
const FLAT_RESIDENT_BYTES = 128 * 1024 ** 2;

test.each([
  ["answered", CALLS, makeCalls],
  ["cancelled", CANCELLED, cancelCalls],
])("memory after calls that were %s", { timeout: 3_600_000 }, async (name, total, make) => {
  await using server = await startPatientServer();
  const count = Math.ceil(total / manyCallsCells.length);
  for (const cell of manyCallsCells) await make(server, cell, WARM_UP);
  const growth = await growthOf(server, () => makeAll(server, make, name, count));
  console.info({ name, calls: count * manyCallsCells.length, ...growth });
  expect(growth.usedBytes).toBeLessThan(FLAT_BYTES);
  expect(growth.residentBytes).toBeLessThan(FLAT_RESIDENT_BYTES);
});

async function makeAll(
  server: MeasuredServer,
  make: (server: MeasuredServer, cell: ManyCallsCell, count: number) => Promise<void>,
  name: string,
  count: number,
): Promise<void> {
  for (const cell of manyCallsCells) {
    const growth = await growthOf(server, () => make(server, cell, count));
    console.info({ name, over: cell.name, calls: count, ...growth });
  }
}
