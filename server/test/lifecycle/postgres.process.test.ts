import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { childEnv } from "@rollcall/testing/child-env";
import { root } from "@rollcall/testing/root";
import { type PostgresServer, startPostgres } from "@rollcall/testing/start-postgres";
import { until } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, expect, test } from "vitest";

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

function start(databaseUrl: string) {
  const child = spawn(process.execPath, [join(root, "server/src/main.ts")], {
    env: {
      ...{ ...childEnv, PORT: "0", AUTH_SECRET: "s".repeat(32), DATABASE_URL: databaseUrl },
      // On a busy machine a database may need seconds. A stopped database refuses connections at once.
      DATABASE_TIMEOUT_MS: "10000",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const ended = once(child, "close");
  return {
    child,
    output: () => output,
    closed: ended.then(([code]) => code as number | null),
    signal: ended.then(([_code, signal]) => signal as string | null),
  };
}

test("a server starts on PostgreSQL, reports an outage once, goes on, and stops", async () => {
  const url = await postgres.createSchema();
  const server = start(url);
  const address = await until(() => /listening on (http:[^"]+)/.exec(server.output())?.[1]);
  const readiness = async () => (await fetch(`${address}/readyz`)).text();
  expect(await readiness()).toBe('{"status":"ready"}');
  await postgres.kill();
  await expect.poll(readiness).toContain("database-unavailable");
  await postgres.start();
  await expect.poll(readiness).toBe('{"status":"ready"}');
  server.child.kill("SIGTERM");
  expect(await server.closed).toBe(0);
  const { output } = server;
  expect(output().match(/nothing is read or written until it answers again/g)).toHaveLength(1);
  expect(output().match(/\d answers again"/g)).toHaveLength(1);
  expect(output()).toContain('"msg":"stopped"');
  expect(output()).not.toContain(`:${new URL(url).password}@`);
});

test("a SIGHUP while a start waits for its database does not end it", async () => {
  // Nothing listens on this port.
  const server = start("postgres://ada:x@127.0.0.1:9/x");
  await until(() => server.output().includes("waiting"));
  server.child.kill("SIGHUP");
  server.child.kill("SIGTERM");
  expect(await server.signal).toBe("SIGTERM");
});

test("a start that can't use its database ends with exit code 1, in words and without the password", async () => {
  const wrong = start(postgres.urlOf("postgres", { name: "postgres", password: "hunter2" }));
  expect(await wrong.closed).toBe(1);
  expect(wrong.output()).toContain('refuses the password of user \\"postgres\\"; correct it in DATABASE_URL');
  expect(wrong.output()).not.toContain("hunter2");
  const malformed = start("postgres://ada:hunt@er2@host/x?sslmode=maybe");
  expect(await malformed.closed).toBe(2);
  expect(malformed.output()).toBe("DATABASE_URL: sslmode must be one of disable, require, verify-ca, verify-full\n");
});
