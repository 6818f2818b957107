import { setTimeout as delay } from "node:timers/promises";
import { startPostgres } from "@rollcall/testing/start-postgres";
import { startServer } from "@rollcall/testing/start-server";
import { startStandby } from "@rollcall/testing/start-standby";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { withParts } from "@rollcall/testing/with-parts";
import { expect, test } from "vitest";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import type { UserRepository } from "../../src/repository/user-repository.ts";
import { addressOf } from "../support/address-of.ts";
import { connect, failure } from "../support/connect.ts";
import { shorten, Watch } from "./support/watch.ts";

/** Time limit of a database call. A busy machine may be slow, while a killed primary ends its calls immediately. */
const PATIENCE_MS = 20_000;

/** Treats all primaries as the same database: it keeps the epoch that is stored in it, and ignores the timeline. */
function blindToPromotions(real: UserRepository): UserRepository {
  const { changes } = real;
  const same = { epoch: "the same" };
  return withParts(real, {
    changes: withParts(changes, {
      head: async () => ({ ...(await changes.head()), ...same }),
      read: async (reading) => ({ ...(await changes.read(reading)), ...same }),
    }),
  });
}

test("a standby that is promoted without the last commits is a reset to watchers, and nothing else", async () => {
  await using primary = await startPostgres();
  let [port, isLagging] = [primary.port, false];
  await using way = await startTcpProxy(() => port);
  // Data that is not passed on to the standby is lost with the primary.
  await using replication = await startTcpProxy(primary.port, {
    onResponseBytes: (bytes) => (isLagging ? undefined : bytes),
  });
  const url = await primary.createDatabase();
  const open = () =>
    openPostgresUserRepository({ address: { ...addressOf(url), port: way.port }, timeoutMs: PATIENCE_MS });
  await using server = await startServer({ repository: await open() });
  const { users } = await connect(server);
  await using controlServer = await startServer({ repository: blindToPromotions(await open()) });
  await users.createUser({ name: "Kept", email: "kept@example.com" });
  await using standby = await startStandby(primary, "standby", { primaryPort: replication.port });
  const standbyUrl = url.replace(`:${primary.port}/`, `:${standby.port}/`);
  while ((await standby.query("SELECT FROM users", standbyUrl)).length === 0) await delay(10);

  await using watch = new Watch(users, { includeExisting: true });
  expect(await watch.take(2)).toEqual(["created Kept", "synced"]);
  await using control = new Watch((await connect(controlServer)).users, { includeExisting: true });
  expect(await control.take(2)).toEqual(["created Kept", "synced"]);
  isLagging = true;
  await users.createUser({ name: "Lost", email: "lost@example.com" });
  expect([await watch.take(1), await control.take(1)]).toEqual([["created Lost"], ["created Lost"]]);
  const resumeToken = watch.token;
  const storedEpoch = "SELECT value FROM properties WHERE name = 'change_epoch'";
  const before = await primary.query(storedEpoch, url);
  await primary.kill();
  replication.reset();
  await standby.promote();
  port = standby.port;
  way.reset();
  expect(await watch.take(3)).toEqual(["reset", "created Kept", "synced"]);
  await using again = new Watch(users, { includeExisting: true, resumeToken });
  expect(await again.take(3)).toEqual(["reset", "created Kept", "synced"]);
  await using changesAlone = new Watch(users, { resumeToken });
  expect(await failure(changesAlone.next())).toMatchObject({ code: "OutOfRange" });
  // The tables do not show it, and the new primary continues as if the change had never been made.
  expect(await standby.query(storedEpoch, standbyUrl)).toEqual(before);
  await users.createUser({ name: "Later", email: "later@example.com" });
  for (const one of [watch, again]) expect(shorten(await one.next())).toBe("created Later");

  // The control still shows the lost user. It may take some new changes for old ones, and never shows those.
  let controlSaw: string | undefined;
  const reading = control.next().then((event) => {
    controlSaw = shorten(event);
  });
  for (let index = 0; controlSaw === undefined; index++) {
    await users.createUser({ name: `Last ${index}`, email: `last${index}@example.com` });
    await delay(10);
  }
  await reading;
  expect(controlSaw).toMatch(/^created La/);
});
