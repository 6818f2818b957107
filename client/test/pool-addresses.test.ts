import { Code, type ConnectError } from "@connectrpc/connect";
import { freePort } from "@rollcall/testing/free-port";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { RequestNotSentError } from "../src/index.ts";
import { createRollcall } from "../src/node/index.ts";
import { startBareServer } from "./support/bare-server.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

test("a server that restarts is found again", async () => {
  const first = await startServer({ shutdownGraceMs: 0, port: await freePort() });
  await using client = createRollcall({
    baseUrl: `http://127.0.0.1:${first.port}`,
    retry: { initialDelayMs: 50, maxAttempts: 50, backoff: "linear", budget: { maxTokens: 1_000 } },
    timeoutMs: 20_000,
  });
  await expect(client.users.get("1")).rejects.toMatchObject({ code: Code.Unauthenticated });
  await first.app.close();
  const call = client.users.get("1");
  await using _second = await startServer({ port: first.port });
  await expect(call).rejects.toMatchObject({ code: Code.Unauthenticated });
});

test("with one of two addresses dead, no call fails; when it is back, it is used again", async () => {
  await using alive = await startBareServer();
  const port = await freePort();
  await using client = createRollcall({
    baseUrl: [`http://127.0.0.1:${port}`, alive.url],
    retry: false,
    pool: { size: 1 },
  });
  for (let index = 0; index < 20; index++) await client.users.get("1");
  expect(alive.calls).toBe(20);

  await using back = await startBareServer({ port });
  const made: Promise<unknown>[] = [];
  await until(() => {
    made.push(client.users.get("1"));
    return back.calls > 0;
  });
  await Promise.all(made);
  await alive[Symbol.asyncDispose]();
  await until(() => alive.sessions.size === 0);
  const calls = back.calls;
  // The client may not have noticed yet that the connection is lost.
  await until(() => {
    client.users.get("1").catch(() => {});
    return back.calls > calls;
  });
});

test("with all addresses dead, a call says so and was never sent", async () => {
  const ports = [await freePort(), await freePort()];
  const address = ports.map((port) => `http://127.0.0.1:${port}`);
  await using client = createRollcall({ baseUrl: address, pool: { waitTimeoutMs: 0 } });
  const error = await client.users.delete("1").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: Code.Unavailable });
  expect((error as ConnectError).rawMessage).toContain("ECONNREFUSED");
  expect((error as ConnectError).cause).toBeInstanceOf(RequestNotSentError);
});
