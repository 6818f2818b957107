import { Code } from "@connectrpc/connect";
import { startServer, until } from "@rollcall/testing/start-server";
import { withParts } from "@rollcall/testing/with-parts";
import { expect, test } from "vitest";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";
import type { UserRepository } from "../../src/repository/user-repository.ts";
import { connect } from "../support/connect.ts";
import { SlowWatcher } from "./support/slow-watcher.ts";
import { Watch } from "./support/watch.ts";

/** Number of concurrent changes: a batch after which no quick watcher lags too far behind. */
const ROUND = 64;
/**
 * Rounds for some 300 kB of events: twice the capacity of the slow watcher's window, the server's stream and the bound
 * together.
 */
const ROUNDS = 12;
const LONG = "x".repeat(150);
const QUICK = 10;

/** Starts a server on which ten quick watchers and a stalled one watch one user. */
async function start(real: UserRepository, maxLag: number | undefined) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startServer({ repository: real, changes: maxLag === undefined ? {} : { maxLag } }));
  const { users } = await connect(server);
  const { user } = await users.createUser({ name: "Ada", email: "ada@example.com" });
  const quick = Array.from({ length: QUICK }, () => stack.use(new Watch(users)));
  for (const watch of quick) expect(await watch.take(1)).toEqual(["synced"]);
  const slow = stack.use(await SlowWatcher.start(server.port, await server.auth()));
  let made = 0;
  return {
    slow,
    quick,
    users,
    /** Makes changes, and returns the events that watchers should see. */
    async change(): Promise<string[]> {
      const names = Array.from({ length: ROUND }, () => `N${made++} ${LONG}`);
      await Promise.all(names.map((name) => real.update(user?.id ?? "", { name, updatedAtMs: 0 })));
      return names.map((name) => `updated ${name}`);
    },
    stack: stack.move(),
  };
}

test("a watcher that stands still is ended with resource_exhausted and can go on; others see all meanwhile", async () => {
  const { slow, quick, users, change, stack } = await start(openSqliteUserRepository({ path: ":memory:" }), 2 * ROUND);
  await using _ = stack;
  const made: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const events = await change();
    for (const watch of quick) expect(await watch.take(ROUND)).toEqual(events);
    made.push(...events);
  }
  expect(await slow.readRest()).toBe(Code.ResourceExhausted);
  const { changes: seen, token } = slow.seen();
  expect(seen).toBeLessThan(made.length);
  await using next = new Watch(users, { resumeToken: token });
  expect(await next.take(made.length - seen + 1)).toEqual([...made.slice(seen), "synced"]);
});

test("control: without a bound, the server keeps everything for it", async () => {
  const repository = openSqliteUserRepository({ path: ":memory:" });
  const { slow, quick, change, stack } = await start(repository, Number.POSITIVE_INFINITY);
  await using _ = stack;
  for (let round = 0; round < ROUNDS; round++) {
    await change();
    for (const watch of quick) await watch.take(ROUND);
  }
  expect(slow.seen().changes).toBeLessThan(ROUNDS * ROUND);
  slow.readOn();
  await until(() => slow.seen().changes === ROUNDS * ROUND);
});

test("control: a feed that waits for its slowest watcher keeps changes from the others", async () => {
  const real = openSqliteUserRepository({ path: ":memory:" });
  let slowest: SlowWatcher | undefined;
  let isHeld = false;
  let read = 0;
  const waiting = withParts(real, {
    changes: withParts(real.changes, {
      async read(reading) {
        while (slowest && slowest.seen().changes < read) {
          isHeld = true;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        const page = await real.changes.read(reading);
        if (slowest) read += page.changes.length;
        return page;
      },
    }),
  });
  const { slow, quick, change, stack } = await start(waiting, undefined);
  await using _ = stack;
  slowest = slow;
  const [first = expect.unreachable()] = quick;
  let seen = 0;
  const reading = (async () => {
    for (; seen < ROUNDS * ROUND; seen++) await first.next();
  })();
  for (let round = 0; round < ROUNDS; round++) await change();
  await until(() => isHeld && seen === read);
  expect(seen).toBeLessThan(ROUNDS * ROUND);
  slow.readOn();
  await reading;
});
