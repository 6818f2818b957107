import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createFetchTransport } from "@rollcall/client";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { childEnv } from "@rollcall/testing/child-env";
import { errorOf, protocolCells } from "@rollcall/testing/matrix";
import { until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { audience, issuer, startIdentityProvider, startTrusting } from "./support/identity-provider.ts";

const MINUTE = 60_000;
const invalid = { code: Code.Unauthenticated, rawMessage: "invalid token" };
const unavailable = { code: Code.Unavailable, rawMessage: "tokens can't be verified at the moment" };
const away = (_: unknown, response: ServerResponse) => response.writeHead(503).end();

const notRefreshed = "warn: keys of the identity provider not refreshed: the last good ones serve";
const noKeys = "error: keys of the identity provider can't be had: no token can be verified";
const again = "info: keys of the identity provider refreshed again";

describe.concurrent("an identity provider that is away", () => {
  test.each(protocolCells)("keeps nobody out whom its last good keys let in, over $protocol", async (cell) => {
    await using provider = await startIdentityProvider();
    const sign = await provider.addKey("ES256", { kid: "1" });
    await using server = await startTrusting(provider);
    const authorization = `Bearer ${await sign()}`;
    const transport = cell.createTransport({
      baseUrl: server.url,
      httpVersion: "2",
      nodeOptions: {},
      interceptors: [],
    });
    await expectServed(transport, authorization);
    server.advance(11 * MINUTE);
    provider.answer = away;
    await expectServed(transport, authorization);
    await until(() => server.keyLines().length > 0);
    await expectServed(transport, authorization);
    // It was fetched in the background, once, and not again immediately.
    expect(provider.requestCount).toBe(2);
    expect(server.keyLines()).toEqual([notRefreshed]);
  });

  test("keeps nobody out over WebSocket either", async () => {
    await using provider = await startIdentityProvider();
    const sign = await provider.addKey("ES256", { kid: "1" });
    await using server = await startTrusting(provider);
    const headers = { authorization: `Bearer ${await sign()}` };
    const streams = createClient(StreamService, createFetchTransport({ baseUrl: server.url }));
    await echo(streams, headers);
    server.advance(11 * MINUTE);
    provider.answer = away;
    await echo(streams, headers);
    await until(() => server.keyLines().includes(notRefreshed));
    await echo(streams, headers);
  });

  test("is noticed when it hangs, and no call waits for it", async () => {
    await using provider = await startIdentityProvider();
    const sign = await provider.addKey("ES256", { kid: "1" });
    await using server = await startTrusting(provider, { fetchTimeoutMs: 600_000 });
    await server.call(await sign());
    server.advance(11 * MINUTE);
    let hanging: ServerResponse | undefined;
    provider.answer = (_, response) => {
      hanging = response;
    };
    await server.call(await sign());
    await until(() => hanging);
    for (let i = 0; i < 10; i++) await server.call(await sign());
    expect(hanging?.destroyed).toBe(false);
    expect(server.keyLines()).toEqual([]);
    hanging?.destroy();
    await until(() => server.keyLines().length > 0);
    expect(server.keyLines()).toEqual([notRefreshed]);
    expect(provider.requestCount).toBe(2);
  });

  test("has its keys trusted for a bounded time, with a line for each turn", async () => {
    await using provider = await startIdentityProvider();
    const sign = await provider.addKey("ES256", { kid: "1" });
    await using server = await startTrusting(provider, { maxStaleMs: 30 * MINUTE });
    const token = await sign();
    await server.call(token);
    provider.answer = away;
    // The clock advances by minutes. Each is long enough for the next attempt.
    for (let minute = 1; minute < 40; minute++) {
      server.advance(MINUTE);
      await server.call(token);
    }
    expect(server.keyLines().every((line) => line === notRefreshed)).toBe(true);
    expect(server.keyLines().length).toBeGreaterThan(1);
    server.advance(MINUTE);
    const error = await errorOf(server.call(token));
    expect(error).toMatchObject(unavailable);
    expect(server.keyLines().at(-1)).toBe(noKeys);
    expect(error.details).toMatchObject([{ type: "google.rpc.RetryInfo" }]);

    provider.answer = undefined;
    server.advance(MINUTE);
    await server.call(token);
    expect(server.keyLines().at(-1)).toBe(again);
  });

  test.each([
    { maxStaleMs: 0, isServed: false },
    { maxStaleMs: undefined, isServed: true },
  ])(
    "has its keys trusted beyond their time only where that is allowed: $maxStaleMs",
    async ({ maxStaleMs, isServed }) => {
      await using provider = await startIdentityProvider();
      const sign = await provider.addKey("ES256", { kid: "1" });
      await using server = await startTrusting(provider, { maxStaleMs });
      const token = await sign();
      await server.call(token);
      provider.answer = away;
      server.advance(9 * MINUTE);
      await server.call(token);
      server.advance(2 * MINUTE);
      if (isServed) await server.call(token);
      else expect(await errorOf(server.call(token))).toMatchObject(unavailable);
      await until(() => server.keyLines().includes(isServed ? notRefreshed : noKeys));
      // New keys are used as soon as there are any.
      provider.answer = undefined;
      server.advance(MINUTE);
      await server.call(token);
    },
  );

  test("that hangs after a time without calls is waited for only briefly, and its last keys serve", async () => {
    await using provider = await startIdentityProvider();
    const sign = await provider.addKey("ES256", { kid: "1" });
    await using server = await startTrusting(provider, { fetchTimeoutMs: 600_000 });
    await server.call(await sign());
    server.advance(30 * MINUTE);
    let hanging: ServerResponse | undefined;
    provider.answer = (_, response) => {
      hanging = response;
    };
    await server.call(await sign());
    expect(provider.requestCount).toBe(2);
    expect(hanging).toMatchObject({ destroyed: false, headersSent: false });
  });

  test("from the start on lets nobody in, is asked once a second at most, and once it is back, all", async () => {
    await using provider = await startIdentityProvider();
    const sign = await provider.addKey("ES256", { kid: "1" });
    provider.answer = away;
    await using server = await startTrusting(provider);
    const token = await sign();
    // This happens without any call, so that a wrong address is reported immediately.
    await until(() => server.keyLines().includes(noKeys));
    const errors = await Promise.all(Array.from({ length: 50 }, () => errorOf(server.call(token))));
    for (const error of errors) expect(error).toMatchObject(unavailable);
    expect(provider.requestCount).toBe(1);
    for (let second = 0; second < 50; second++) {
      server.advance(1_000);
      await errorOf(server.call(token));
    }
    expect(provider.requestCount).toBe(51);
    expect(server.keyLines()).toEqual([noKeys]);
    provider.answer = undefined;
    server.advance(1_000);
    await server.call(token);
    expect(server.keyLines()).toEqual([noKeys, again]);
    // The line of each call has level debug, since an outage must not fill the log.
    expect(server.log.find(({ msg }) => msg === "token not accepted")).toMatchObject({ level: "debug" });
  });

  test("can't say whether a key that a token names is new", async () => {
    await using provider = await startIdentityProvider();
    await provider.addKey("ES256", { kid: "old" });
    await using server = await startTrusting(provider);
    await until(() => provider.requestCount === 1);
    const signNew = await provider.addKey("ES256", { kid: "new" });
    provider.answer = away;
    expect(await errorOf(server.call(await signNew()))).toMatchObject(unavailable);
    provider.answer = undefined;
    server.advance(30_000);
    await server.call(await signNew());
  });

  test("is waited for after a time without calls, so that a key it has dropped is good for none", async () => {
    await using provider = await startIdentityProvider();
    const first = await provider.addKey("ES256", { kid: "first" });
    await using server = await startTrusting(provider);
    await server.call(await first());
    provider.keys = [];
    const second = await provider.addKey("ES256", { kid: "second" });
    // The control: keys that are just due are used once more while they are fetched.
    server.advance(11 * MINUTE);
    await server.call(await first());
    await server.call(await second());
    provider.keys = [];
    await provider.addKey("ES256", { kid: "third" });
    server.advance(60 * MINUTE);
    expect(await errorOf(server.call(await second()))).toMatchObject(invalid);
  });
});

test.concurrent("a server's own process starts without its identity provider, says so, and takes its tokens once it is back", async () => {
  await using provider = await startIdentityProvider();
  const sign = await provider.addKey("EdDSA", { kid: "1" });
  provider.answer = away;
  const env = {
    AUTH_JWKS_URL: provider.url.href,
    AUTH_ISSUER: issuer,
    AUTH_AUDIENCE: audience,
    AUTH_JWKS_MAX_STALE_MS: "5m",
    DATABASE_URL: "sqlite::memory:",
    PORT: "0",
  };
  const main = new URL("../../src/main.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [main], { env: { ...childEnv, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  try {
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    const [, url = ""] = await until(() => /listening on (http:[^"]+)/.exec(output) ?? undefined);
    await until(() => output.includes("can't be had"));
    const users = createClient(UserService, createGrpcTransport({ baseUrl: url }));
    const headers = { authorization: `Bearer ${await sign()}` };
    expect(await errorOf(users.listUsers({}, { headers }))).toMatchObject(unavailable);
    provider.answer = undefined;
    let isLetIn = false;
    while (!isLetIn) {
      isLetIn = await users.listUsers({}, { headers }).then(
        () => true,
        (error) => (error as ConnectError).code !== Code.Unavailable && expect.fail(String(error)),
      );
    }
    await until(() => output.includes("refreshed again"));
    expect(output).not.toContain(headers.authorization.slice("Bearer ".length));
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
});

async function expectServed(transport: Transport, authorization: string): Promise<void> {
  const headers = { authorization };
  await createClient(UserService, transport).listUsers({}, { headers });
  await echo(createClient(StreamService, transport), headers);
}

/** Makes a call with a bidirectional stream, and expects its echo. */
async function echo(streams: Client<typeof StreamService>, headers: { authorization: string }): Promise<void> {
  const messages = (async function* () {
    yield { message: "hello" };
  })();
  const replies: string[] = [];
  try {
    for await (const { reply } of streams.bidirectionalStream(messages, { headers })) replies.push(reply);
  } catch (error) {
    throw ConnectError.from(error);
  }
  expect(replies).toEqual(["Echo: hello"]);
}
