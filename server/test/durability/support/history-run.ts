import { setTimeout as delay } from "node:timers/promises";
import { createRandom, type Random } from "@rollcall/testing/random";
import { type ServerProcess, startProcess } from "@rollcall/testing/start-process";
import { connectUsers, type UsersClient } from "./connect-users.ts";
import type { PostgresDatabase, TestDatabase } from "./databases.ts";
import { Islands } from "./history-clients.ts";
import { type Judgement, judge } from "./judge.ts";
import { outages } from "./outages.ts";

/** Number of clients of a history. */
export const CLIENTS = 16;
const ISLANDS = 3;
/** Maximum number of attempts to make a fault until a call loses its answer. */
const MOST_TRIES = 5;

/** Makes calls with all clients at the same time until each has made its share. */
export async function callTogether(
  islands: Islands,
  clientOf: (number: number) => UsersClient,
  callsEach: number,
  random: Random,
): Promise<void> {
  const work = async (_: unknown, number: number) => {
    for (let call = 0; call < callsEach; call++) await islands.call(number, clientOf(number), random);
  };
  await Promise.all(Array.from({ length: CLIENTS }, work));
}

/** Records and judges the calls of all clients to servers without faults. */
export async function runHistory(clients: readonly UsersClient[], calls: number, seed: number): Promise<Judgement> {
  const islands = new Islands(ISLANDS);
  const clientOf = (number: number) => clients[number % clients.length] as UsersClient;
  await callTogether(islands, clientOf, calls / CLIENTS, createRandom(seed));
  await islands.recordEnd(clientOf(0));
  return judge(islands.history);
}

export interface FaultyHistory extends Judgement {
  /** Number of faults during which calls lost their answers. */
  readonly hits: number;
}

export interface FaultyHistoryOptions<Database extends TestDatabase> {
  /** Number of server processes on the database. */
  readonly servers: number;
  readonly faults: number;
  readonly seed: number;
  /**
   * Makes the database fail; the servers keep running. Default: one of the servers is killed by SIGKILL and started
   * again.
   */
  readonly hit?: ((database: Database, random: Random) => Promise<void>) | undefined;
}

/** Records and judges the calls of all clients while servers, or the database, are killed. */
export async function runFaultyHistory<Database extends TestDatabase>(
  kind: { start(): Promise<Database> },
  options: FaultyHistoryOptions<Database>,
): Promise<FaultyHistory> {
  const random = createRandom(options.seed);
  await using database = await kind.start();
  await using stack = new AsyncDisposableStack();
  const { env } = database;
  const servers = await Promise.all(Array.from({ length: options.servers }, () => startProcess({ env })));
  stack.defer(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  });
  const clients = servers.map(connectUsers);
  const islands = new Islands(ISLANDS);
  let isOver = false;
  let answered = 0;
  let hits = 0;
  let lost = 0;
  const work = async (number: number) => {
    while (!isOver) {
      const each = clients[number % clients.length] as UsersClient[];
      if (await islands.call(number, each[number % each.length] as UsersClient, random)) answered += 1;
      else {
        lost += 1;
        // Refused connections would otherwise keep the loop busy, and others would get no turn.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  let fault: unknown;
  const working = Promise.all(Array.from({ length: CLIENTS }, (_, number) => work(number))).catch((error) => {
    fault = error;
  });
  const untilAnswered = async (more: number) => {
    const target = answered + more;
    while (answered < target) {
      if (fault) throw fault;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  for (let round = 0; round < options.faults; round++) {
    await untilAnswered(50 + random.below(150));
    const lostBefore = lost;
    // On a busy machine, the servers may not run during a short fault, and so may miss it.
    for (let tries = 0; lost === lostBefore && tries < MOST_TRIES; tries++) {
      if (options.hit) await options.hit(database, random);
      else await restart(servers, clients, random.below(servers.length), env);
      await untilAnswered(1);
    }
    if (lost > lostBefore) hits += 1;
  }
  await untilAnswered(100);
  isOver = true;
  await working;
  if (fault) throw fault;
  await islands.recordEnd((clients[0] as UsersClient[])[0] as UsersClient);
  return { ...judge(islands.history), hits };
}

/** Takes a PostgreSQL server away from its callers for less than a second. */
export async function hitPostgres({ postgres }: PostgresDatabase, random: Random): Promise<void> {
  // A pause this short only delays calls.
  const { paused, ...others } = outages;
  await random.pick(Object.values(others))(postgres, random);
  await delay(random.below(500));
  await postgres.start();
}

async function restart(
  servers: ServerProcess[],
  clients: UsersClient[][],
  index: number,
  env: Record<string, string>,
): Promise<void> {
  await servers[index]?.kill();
  const server = await startProcess({ env });
  servers[index] = server;
  clients[index] = connectUsers(server);
}
