import { setTimeout as delay } from "node:timers/promises";
import { startPostgres } from "@rollcall/testing/start-postgres";
import { startServer } from "@rollcall/testing/start-server";
import { startStandby } from "@rollcall/testing/start-standby";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import { addressOf } from "../support/address-of.ts";
import { connect, failure } from "../support/connect.ts";
import { shorten, Watch } from "./support/watch.ts";

test("a standby that is promoted without the last commits is a reset to watchers, and nothing else", async () => {
  await using primary = await startPostgres();
  let [port, isLagging] = [primary.port, false];
  await using way = await startTcpProxy(() => port);
  // What the standby is sent meanwhile is lost with the primary.
  await using replication = await startTcpProxy(primary.port, {
    onResponseBytes: (bytes) => (isLagging ? undefined : bytes),
  });
  const url = await primary.createDatabase();
  const repository = await openPostgresUserRepository({ address: { ...addressOf(url), port: way.port } });
  await using server = await startServer({ repository });
  const { users } = await connect(server);
  await users.createUser({ name: "Kept", email: "kept@example.com" });
  await using standby = await startStandby(primary, "standby", { primaryPort: replication.port });
  const standbyUrl = url.replace(`:${primary.port}/`, `:${standby.port}/`);
  while ((await standby.query("SELECT FROM users", standbyUrl)).length === 0) await delay(10);

  await using watch = new Watch(users, { includeExisting: true });
  expect(await watch.take(2)).toEqual(["created Kept", "synced"]);
  isLagging = true;
  await users.createUser({ name: "Lost", email: "lost@example.com" });
  expect(await watch.take(1)).toEqual(["created Lost"]);
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
  // The tables say nothing of it, and the new primary goes on as if the change had never been.
  expect(await standby.query(storedEpoch, standbyUrl)).toEqual(before);
  await users.createUser({ name: "Later", email: "later@example.com" });
  for (const one of [watch, again]) expect(shorten(await one.next())).toBe("created Later");
});
