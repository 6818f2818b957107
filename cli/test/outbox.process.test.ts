import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Code, ConnectError } from "@connectrpc/connect";
import { createRollcall } from "@rollcall/client/node";
import { childEnv } from "@rollcall/testing/child-env";
import { freePort } from "@rollcall/testing/free-port";
import { root } from "@rollcall/testing/root";
import { rollcallMain } from "@rollcall/testing/run-rollcall";
import { startProcess } from "@rollcall/testing/start-process";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";

const exampleMain = join(root, "examples/outbox/search-index.ts");

let folder: string;
withFolderEach((created) => {
  folder = created;
});

/** Records each change of the index in a table, so that a change that is applied twice would show. */
const AUDIT = `
  CREATE TABLE IF NOT EXISTS audit (id TEXT NOT NULL, etag TEXT);
  CREATE TRIGGER IF NOT EXISTS audit_added AFTER INSERT ON people BEGIN INSERT INTO audit VALUES (new.id, new.etag); END;
  CREATE TRIGGER IF NOT EXISTS audit_changed AFTER UPDATE ON people BEGIN INSERT INTO audit VALUES (new.id, new.etag); END;
  CREATE TRIGGER IF NOT EXISTS audit_removed AFTER DELETE ON people BEGIN INSERT INTO audit VALUES (old.id, NULL); END;`;

class Index {
  readonly path = join(folder, "index.db");

  /** Runs a query. Returns nothing while there is no index. */
  all<T>(sql: string, ...values: string[]): T[] {
    try {
      using database = new DatabaseSync(this.path, { timeout: 10_000 });
      return database.prepare(sql).all(...values) as T[];
    } catch {
      return [];
    }
  }

  audit(): void {
    using database = new DatabaseSync(this.path, { timeout: 10_000 });
    database.exec(AUDIT);
  }

  has(name: string): boolean {
    return this.all("SELECT id FROM people WHERE name = ?", name).length > 0;
  }

  async until(name: string): Promise<void> {
    await expect.poll(() => this.has(name), { interval: 20 }).toBe(true);
  }
}

/** Follows the server into the index, as the example's README says, but without the loop that restarts both. */
function startOutbox(index: Index, server: { url: string; token: string }, cursor: string, more: readonly string[]) {
  const feeder = spawn(process.execPath, [exampleMain, index.path], {
    env: childEnv,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const args = ["users", "watch", "--json", "--from-file", cursor, ...more];
  const env = { ...childEnv, ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: server.token };
  const follower = spawn(process.execPath, [rollcallMain, ...args], {
    env,
    stdio: [feeder.stdout, feeder.stdin, "ignore"],
  });
  // They are connected to each other, and neither waits for this process.
  feeder.stdin.destroy();
  feeder.stdout.destroy();
  const end = async (child: ChildProcess) => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
  };
  return {
    feeder,
    follower,
    async [Symbol.asyncDispose]() {
      await Promise.all([end(feeder), end(follower)]);
    },
  };
}

test("a search index misses nothing and applies nothing twice, while it, its follower and the server are killed", async () => {
  const cursor = join(folder, "cursor");
  const index = new Index();
  const port = await freePort();
  const first = await startProcess({ folder, port });
  const identity = { url: first.url, token: first.token };
  await using client = createRollcall({
    baseUrl: first.url,
    token: first.token,
    // Calls wait for a server that takes long to restart.
    timeoutMs: 100_000,
    pool: { waitTimeoutMs: 100_000 },
  });
  const outbox = () => startOutbox(index, identity, cursor, ["--existing", "--ack"]);
  let made = 0;
  let isOver = false;
  const ids: string[] = [];
  const change = async (number: number) => {
    const id = ids[number % (ids.length || 1)];
    if (number % 4 < 2 || id === undefined) {
      ids.push((await client.users.create({ email: `u${number}@example.com`, name: `N${number}` })).id);
    } else if (number % 4 === 2) await client.users.update(id, { name: `N${number}` });
    else await client.users.delete(ids.splice(number % ids.length, 1)[0] ?? "");
  };
  const write = async () => {
    while (!isOver) {
      await change(made++).catch((error) => {
        // The server was killed during the call, so nobody knows whether the change was made.
        if (ConnectError.from(error).code !== Code.Unavailable) throw error;
      });
    }
  };
  const mark = async () => {
    const name = `mark ${made++}`;
    await client.users.create({ email: `${name.replace(" ", "")}@example.com`, name });
    return name;
  };

  let one = outbox();
  await client.users.create({ email: "first@example.com", name: "First" });
  await index.until("First");
  index.audit();
  const writing = write();
  let kills = 0;
  let server = first;
  for (const victim of ["follower", "feeder", "server", "follower", "feeder"] as const) {
    // The kill comes while changes are being made.
    await index.until(await mark());
    if (victim === "server") {
      await server.kill();
      server = await startProcess({ folder, port });
    } else {
      one[victim].kill("SIGKILL");
      await one[Symbol.asyncDispose]();
      one = outbox();
    }
    kills += 1;
  }
  isOver = true;
  await writing;
  await index.until(await mark());
  await one[Symbol.asyncDispose]();
  expect(kills).toBe(5);
  expect(made).toBeGreaterThan(50);

  const users: { id: string; name: string; etag: string }[] = [];
  for await (const user of client.users.listAll()) users.push({ id: user.id, name: user.name, etag: user.etag });
  const people = index.all<{ id: string; name: string; etag: string }>("SELECT id, name, etag FROM people");
  const sorted = (rows: typeof users) => rows.map((row) => ({ ...row })).sort((a, b) => (a.id < b.id ? -1 : 1));
  expect(sorted(people)).toEqual(sorted(users));
  expect(index.all("SELECT id FROM words JOIN people ON number = words.rowid WHERE words MATCH 'mark'").length).toBe(6);
  // Each user went through each of its states once, in order.
  const steps = Map.groupBy(index.all<{ id: string; etag: string | null }>("SELECT * FROM audit"), ({ id }) => id);
  for (const [id, rows] of steps) {
    const states = rows.map(({ etag }) => etag);
    const whole = [...states.keys()].map((step) => (states[step] === null ? null : `"${step + 1}"`));
    expect([id, states]).toEqual([id, whole]);
  }
  await server.kill();
});

test.each([
  ["an acknowledged place loses nothing", ["--ack"], true],
  ["control: a place that is kept when the line is written loses what was not applied", [], false],
])("when the index is killed with events before it, %s", async (_, more, isComplete) => {
  const cursor = join(folder, "cursor");
  const index = new Index();
  await using server = await startProcess({ folder });
  await using client = createRollcall({ baseUrl: server.url, token: server.token });
  const create = (name: string) => client.users.create({ email: `${name}@example.com`, name });
  {
    await using one = startOutbox(index, server, cursor, ["--existing", ...more]);
    await create("applied");
    await index.until("applied");
    await expect.poll(() => existsSync(cursor)).toBe(true);
    const place = () => readFileSync(cursor, "utf8").trim();
    const before = place();
    one.feeder.kill("SIGSTOP");
    await create("pending");
    const behind = await placeBehind(client, "pending", before);
    // The line has been written, and the place moved past it.
    if (!isComplete) await expect.poll(place).toBe(behind);
    else expect(place()).not.toBe(behind);
  }
  await create("later");
  await using _two = startOutbox(index, server, cursor, ["--existing", ...more]);
  await index.until("later");
  expect(index.has("pending")).toBe(isComplete);
});

/** Returns the place right after a user's creation. */
async function placeBehind(client: ReturnType<typeof createRollcall>, name: string, resumeToken: string) {
  for await (const event of client.users.watch({ resumeToken })) {
    if (event.type === "created" && event.user.name === name) return event.resumeToken;
  }
  throw new Error("the watch has ended");
}
