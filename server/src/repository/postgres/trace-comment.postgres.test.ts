import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startTransactionPooler } from "@rollcall/testing/transaction-pooler";
import { expect, test } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import { withQueryTrace } from "../../runtime/query-trace.ts";
import { openPostgresUserRepository } from "./user-repository.ts";

const postgres = await sharedPostgres();
const traceOf = (digit: number) => `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b${digit}-01`;
const user = { id: "1", email: "a@example.com", name: "A", createdAtMs: 1, updatedAtMs: 1, version: 1 };

/**
 * Returns a function that returns the traces that PostgreSQL has logged since now, in order, and the logged lines with
 * given words.
 */
function logFrom(): (words: string) => { traces: (string | undefined)[]; lines: string[] } {
  const before = postgres.log().length;
  return (words) => {
    const log = postgres.log().slice(before);
    const traces = [...log.matchAll(/traceparent='([^']*)'/g)].map(([, trace]) => trace);
    return { traces, lines: log.split("\n").filter((line) => line.includes(words)) };
  };
}

test.each([
  ["directly", false],
  ["behind a pooler", true],
])("%s, a batch names its first recorded call, and the next one none", async (_name, isPooled) => {
  const direct = await postgres.createSchema();
  await postgres.query(`ALTER ROLE ${new URL(direct).username} SET log_statement = 'all'`);
  await using pooler = await startTransactionPooler(direct);
  const pooled = `${Object.assign(new URL(direct), { port: pooler.port }).href}?pgbouncer=true`;
  const users = await openPostgresUserRepository({
    ...{ address: addressOf(isPooled ? pooled : direct), timeoutMs: 60_000 },
  });
  const insert = (n: number) => users.insert({ ...user, id: `${n}`, email: `${n}@example.com` });

  const ofWrites = logFrom();
  await Promise.all([
    insert(1),
    withQueryTrace(traceOf(2), () => insert(2)),
    withQueryTrace(traceOf(3), () => insert(3)),
  ]);
  await expect.poll(() => ofWrites("COMMIT /*").lines).toHaveLength(1);
  const { traces, lines } = ofWrites("INSERT INTO users");
  expect(lines).toHaveLength(1);
  expect(new Set(traces)).toEqual(new Set([traceOf(2)]));

  const ofReads = logFrom();
  const found = await Promise.all([
    users.find("1"),
    withQueryTrace(traceOf(3), () => users.find("2")),
    withQueryTrace(traceOf(4), () => users.find("3")),
  ]);
  expect(found.map((each) => each?.id)).toEqual(["1", "2", "3"]);
  await expect.poll(() => ofReads("ANY").traces).toEqual([traceOf(3)]);

  const ofOthers = logFrom();
  await Promise.all([insert(4), users.find("1")]);
  await expect.poll(() => ofOthers("COMMIT").lines.length).toBeGreaterThan(0);
  expect(ofOthers("").traces).toEqual([]);
  await users.close();
});
