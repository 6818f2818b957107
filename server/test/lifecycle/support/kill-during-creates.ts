import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { authenticate, type Connection, connections, type Protocol, protocols } from "@rollcall/testing/matrix";
import { type ServerProcess, startProcess } from "@rollcall/testing/start-process";

/** Number of creates that are under way at any moment. */
export const IN_FLIGHT = 64;
const RETRIES = 5;
/** A call that has no answer by then never gets one. */
const CALL = { timeoutMs: 60_000 };

/** Protocols of the creates: gRPC and Connect, over each HTTP version that has them. */
export const killCells = [
  { ...protocols.grpc, ...connections.h2c },
  { ...protocols.connectProto, ...connections.h2c },
  { ...protocols.connectJson, ...connections.http1 },
];

/** The users that a kill -9 in the middle of creates has left. */
export interface KillOutcome {
  readonly acknowledged: number;
  /** Acknowledged users that the restarted server does not have: none may be. */
  readonly lost: readonly string[];
  /** Users that are there though nobody has heard of them. */
  readonly unheard: number;
  /** Acknowledged creates without a line in the access log. */
  readonly unlogged: number;
  /** Creates whose retry has made, or told of, another user than the first time: none may be. */
  readonly doubled: readonly string[];
}

/** Kills a server by SIGKILL when half of the creates are acknowledged, starts it again, and looks at what it has. */
export async function killDuringCreates(cell: Protocol & Connection, creates: number): Promise<KillOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
  try {
    const { acknowledged, logged } = await createUntilKilled(cell, creates, folder);
    await using server = await startProcess({ folder });
    const users = connect(server, cell);
    const kept = await listIds(users);
    const ids = [...acknowledged.values()];
    const doubled: string[] = [];
    for (const [number, id] of [...acknowledged].slice(-RETRIES)) {
      const { user } = await users.createUser(requestOf(number), CALL);
      if (user?.id !== id) doubled.push(id);
    }
    return {
      acknowledged: ids.length,
      lost: ids.filter((id) => !kept.has(id)),
      unheard: kept.size - ids.length,
      unlogged: ids.filter((id) => !logged.has(id)).length,
      doubled,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function createUntilKilled(cell: Protocol & Connection, creates: number, folder: string) {
  const acknowledged = new Map<number, string>();
  await using server = await startProcess({ folder });
  const users = connect(server, cell);
  let next = 0;
  const work = async () => {
    while (next < creates) {
      const number = next++;
      const { user } = await users.createUser(requestOf(number), CALL);
      acknowledged.set(number, user?.id ?? "");
      if (acknowledged.size === creates / 2) server.process.kill("SIGKILL");
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: IN_FLIGHT }, work));
  if (outcomes.some(({ status }) => status === "fulfilled")) throw new Error("all creates ended before the kill");
  await server.closed;
  return { acknowledged, logged: loggedIds(server.output()) };
}

function requestOf(number: number) {
  return { email: `user${number}@example.com`, name: `User ${number}`, requestId: `create-${number}` };
}

function connect({ url, token }: ServerProcess, { createTransport, httpVersion }: Protocol & Connection) {
  const transport = createTransport({
    baseUrl: url,
    httpVersion,
    nodeOptions: {},
    interceptors: [authenticate(token)],
  });
  return createClient(UserService, transport);
}

async function listIds(users: Client<typeof UserService>): Promise<Set<string>> {
  const ids = new Set<string>();
  for (let pageToken = ""; ; ) {
    const page = await users.listUsers({ pageSize: 1_000, pageToken }, CALL);
    for (const { id } of page.users) ids.add(id);
    pageToken = page.nextPageToken;
    if (pageToken === "") return ids;
  }
}

/** Users whose creates have a line in the access log. */
function loggedIds(output: string): Set<string> {
  return new Set([...output.matchAll(/"resource":"([^"]+)"/g)].map(([, id = ""]) => id));
}
