import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { createRandom } from "@rollcall/testing/random";
import { type PostgresServer, startPostgres } from "@rollcall/testing/start-postgres";
import { startServer } from "@rollcall/testing/start-server";
import { openPostgresUserRepository } from "../../../src/repository/postgres/user-repository.ts";
import { addressOf } from "../../support/address-of.ts";
import { CALL, connectUsers, type UsersClient } from "./connect-users.ts";

export const WRITERS = 32;
/** Longest time that a database is away, and longest time of load between two outages, in milliseconds. */
const MAX_AWAY_MS = 1_500;
const MAX_LOAD_MS = 300;

const OUTAGES: Readonly<Record<string, (postgres: PostgresServer) => Promise<void>>> = {
  killed: (postgres) => postgres.kill(),
  stopped: (postgres) => postgres.stop(),
  "stopped at once": (postgres) => postgres.stop("immediate"),
  paused: async (postgres) => postgres.pause(),
};

export interface OutageOutcome {
  /** Outages in which calls failed. */
  hits: number;
  acknowledged: number;
  refused: number;
  /** Writes of which nobody could say whether they were done. */
  unknown: number;
  /** Acknowledged users that are not there; refused ones that are. */
  readonly lost: string[];
  readonly unasked: string[];
  /** Errors that are none of the expected. */
  readonly strange: string[];
  /** Longest time from a call to `unavailable`, and from the database's return to the first answer, in milliseconds. */
  longestRefusalMs: number;
  longestReturnMs: number;
}

/** Takes a PostgreSQL server away from under writers, again and again, in every way in turn. */
export async function outageRounds({ rounds, seed }: { rounds: number; seed: number }): Promise<OutageOutcome> {
  const random = createRandom(seed);
  await using postgres = await startPostgres();
  const url = await postgres.createSchema();
  await using server = await startServer({ repository: await openPostgresUserRepository({ address: addressOf(url) }) });
  const clients = connectUsers({ url: server.url, token: await server.token() });
  const outcome: OutageOutcome = {
    ...{ hits: 0, acknowledged: 0, refused: 0, unknown: 0, longestRefusalMs: 0, longestReturnMs: 0 },
    ...{ lost: [], unasked: [], strange: [] },
  };
  const [acknowledged, refused] = [new Set<string>(), new Set<string>()];
  let isOver = false;
  /** Time when the database came back, until the first answer after it. */
  let backAtMs: number | undefined;
  const write = async (client: UsersClient, email: string) => {
    const startedAtMs = performance.now();
    try {
      await client.createUser({ email, name: "x" }, CALL);
      acknowledged.add(email);
      if (backAtMs === undefined || startedAtMs < backAtMs) return;
      outcome.longestReturnMs = Math.max(outcome.longestReturnMs, performance.now() - backAtMs);
      backAtMs = undefined;
    } catch (reason) {
      const error = ConnectError.from(reason);
      outcome.longestRefusalMs = Math.max(outcome.longestRefusalMs, performance.now() - startedAtMs);
      const isUnknown = error.findDetails(ErrorInfoSchema).some((info) => info.reason === "OUTCOME_UNKNOWN");
      if (error.code !== Code.Unavailable) outcome.strange.push(error.message);
      else if (isUnknown) outcome.unknown += 1;
      else refused.add(email);
      // As a caller's backoff.
      await delay(20);
    }
  };
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let number = 0; !isOver; number++) {
      await write(clients[writer % clients.length] as UsersClient, `${writer}-${number}@example.com`);
    }
  });
  const ways = Object.values(OUTAGES);
  for (let round = 0; round < rounds; round++) {
    await delay(random.below(MAX_LOAD_MS));
    const failedBefore = refused.size + outcome.unknown;
    await ways[round % ways.length]?.(postgres);
    await delay(MAX_AWAY_MS / 2 + random.below(MAX_AWAY_MS / 2));
    await postgres.start();
    postgres.resume();
    backAtMs = performance.now();
    while (backAtMs !== undefined) await delay(5);
    if (refused.size + outcome.unknown > failedBefore) outcome.hits += 1;
  }
  isOver = true;
  await Promise.all(writers);
  const rows = await postgres.query("SELECT email FROM users", url);
  const there = new Set(rows.map(({ email }) => String(email)));
  outcome.lost.push(...[...acknowledged].filter((email) => !there.has(email)));
  outcome.unasked.push(...[...refused].filter((email) => there.has(email)));
  return { ...outcome, acknowledged: acknowledged.size, refused: refused.size };
}
