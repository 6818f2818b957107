import { setTimeout as delay } from "node:timers/promises";
import { createRandom } from "@rollcall/testing/random";
import type { PostgresServer } from "@rollcall/testing/start-postgres";
import { startServer } from "@rollcall/testing/start-server";
import { startStandby, waitForStandby } from "@rollcall/testing/start-standby";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { openPostgresUserRepository } from "../../../src/repository/postgres/user-repository.ts";
import { addressOf } from "../../support/address-of.ts";
import { Followers } from "../../users/support/followers.ts";
import { addAudit, audit, type Findings, noFindings } from "./audit.ts";
import { connectUsers, type UsersClient } from "./connect-users.ts";
import { findPostgresFaults, postgresql } from "./databases.ts";
import { WRITERS, WriteLoad } from "./write-load.ts";

/** Maximum number of writes before a primary is killed. */
const MOST_WRITES = 600;
/** Time limit of a database call. A killed primary ends its calls at once, but a busy machine can delay them. */
const PATIENCE_MS = 20_000;
/** Maximum time for which the standby lags before the kill, in milliseconds. */
const MOST_LAG_MS = 400;

export interface FailoverReport extends Findings {
  rounds: number;
  /** Rounds in which writes were under way when the primary was killed, and failed. */
  hits: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  faults: string[];
  /** Smallest number of resets that a watcher got, and the faults in the watchers' events. */
  watchResets: number;
  watchFaults: string[];
  /**
   * Longest time until a caller got `unavailable`, and longest time from the promotion to an answer, in milliseconds.
   */
  longestFailureMs: number;
  longestReturnMs: number;
}

export interface FailoverOptions {
  rounds: number;
  seed: number;
  /** Whether commits wait for the standby. */
  synchronous: boolean;
}

/**
 * Kills the primary under 64 writers of two servers while its standby lags, and promotes the standby, round after
 * round. Each promoted standby gets its own standby. The servers connect to a proxy, whose address stays the same.
 * Meanwhile users are watched.
 */
export async function failoverRounds({ rounds, seed, synchronous }: FailoverOptions): Promise<FailoverReport> {
  const random = createRandom(seed);
  await using database = await postgresql.start();
  await using stack = new AsyncDisposableStack();
  let primary: PostgresServer = database.postgres;
  let isLagging = false;
  const way = stack.use(await startTcpProxy(() => primary.port));
  // Everything that is sent to the standby while it lags is lost with the primary.
  const replication = stack.use(
    await startTcpProxy(() => primary.port, { onResponseBytes: (bytes) => (isLagging ? undefined : bytes) }),
  );
  const url = database.env.DATABASE_URL ?? "";
  const address = { ...addressOf(url), port: way.port };
  const servers = [0, 1].map(async () => {
    const repository = await openPostgresUserRepository({ address, timeoutMs: PATIENCE_MS });
    return stack.use(await startServer({ repository }));
  });
  const clients: UsersClient[] = [];
  for (const server of await Promise.all(servers)) {
    clients.push(...connectUsers({ url: server.url, token: await server.token() }));
  }
  const followers = new Followers(clients);
  const load = new WriteLoad(random);
  const report: FailoverReport = {
    ...{ rounds: 0, hits: 0, acknowledged: 0, refused: 0, unknown: 0, ...noFindings() },
    ...{ faults: [], watchResets: 0, watchFaults: [], longestFailureMs: 0, longestReturnMs: 0 },
  };
  for (; report.rounds < rounds; report.rounds++) {
    load.start(clients);
    const name = `standby_${report.rounds}`;
    const standby = stack.use(await startStandby(primary, name, { primaryPort: replication.port }));
    if (synchronous) await waitForStandby(primary, name);
    await load.untilAcknowledged(1 + random.below(MOST_WRITES));
    isLagging = true;
    await delay(random.below(MOST_LAG_MS));
    // This is twice the number of writes that may have been under way before. At least half of them are therefore
    // missing on the standby, however slow the machine is.
    if (!synchronous) await load.untilAcknowledged(2 * WRITERS);
    const failedBefore = load.failed;
    await primary.kill();
    replication.reset();
    isLagging = false;
    await standby.promote();
    primary = standby;
    way.reset();
    report.longestReturnMs = Math.max(report.longestReturnMs, await load.untilServed());
    if (load.failed > failedBefore) report.hits += 1;
    await load.stop();
    addAudit(report, await audit(clients[0] as UsersClient, load.writers));
    const { username, password } = new URL(url);
    report.faults.push(...(await findPostgresFaults(primary, primary.urlOf("postgres", { name: username, password }))));
  }
  const watchFaults = await followers.end();
  return { ...report, watchResets: followers.resets, watchFaults, ...load.figures() };
}
