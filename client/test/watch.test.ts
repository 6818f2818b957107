import { Code, type ConnectError } from "@connectrpc/connect";
import { openSqliteUserRepository } from "@rollcall/server";
import { freePort } from "@rollcall/testing/free-port";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { withParts } from "@rollcall/testing/with-parts";
import { expect, test } from "vitest";
import {
  ChangesGoneError,
  type TokenRequest,
  UnauthorizedError,
  type UserEvent,
  type WatchState,
} from "../src/index.ts";
import { createRollcall } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

/** Returns a short form of an event. */
function shorten(event: UserEvent): string {
  if (event.type === "removed") return `removed ${event.userId}`;
  return "user" in event ? `${event.type} ${event.user.name}` : event.type;
}

/** Reads the next events in short form. */
async function take(events: AsyncIterator<UserEvent>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) throw new Error("the watch has ended");
    taken.push(shorten(value));
  }
  return taken;
}

/** Returns the events before a given one. */
async function takeUntil(events: AsyncIterator<UserEvent>, last: string): Promise<string[]> {
  const taken: string[] = [];
  for (;;) {
    const [event = ""] = await take(events, 1);
    if (event === last) return taken;
    taken.push(event);
  }
}

const retry = { initialDelayMs: 1 };
const user = (name: string) => ({ name, email: `${name}@example.com` });

test.each(["grpc", "grpc-web", "connect"] as const)("a watch by %s outlasts its connections", async (protocol) => {
  await using server = await startServer();
  await using proxy = await startTcpProxy(server.port);
  await using direct = createRollcall({ baseUrl: server.url, token: await server.token() });
  await using client = createRollcall({ baseUrl: proxy.url, token: await server.token(), protocol });
  const states: WatchState[] = [];
  const controller = new AbortController();
  const onState = (state: WatchState) => states.push(state);
  const watch = client.users.watch({ includeExisting: true }, { retry, onState, signal: controller.signal });
  const events = watch[Symbol.asyncIterator]();
  expect(await take(events, 1)).toEqual(["synced"]);
  for (let round = 0; round < 3; round++) {
    await direct.users.create(user(`seen${round}`));
    expect(await take(events, 1)).toEqual([`created seen${round}`]);
    proxy.reset();
    await direct.users.create(user(`missed${round}`));
    expect(await take(events, 2)).toEqual([`created missed${round}`, "synced"]);
  }
  expect(states).toEqual(["live", ...Array.from({ length: 3 }, () => ["catching up", "live"]).flat()]);
  controller.abort();
  await expect(events.next()).rejects.toThrow("aborted");
});

test("a watch goes on with the next server, and learns that it was a new database", async () => {
  const repository = withParts(openSqliteUserRepository({ path: ":memory:" }), { close: async () => {} });
  const port = await freePort();
  const first = await startServer({ repository, port });
  const token = await first.token();
  await using client = createRollcall({ baseUrl: first.url, token, retry: { initialDelayMs: 1 } });
  const retries: string[] = [];
  const controller = new AbortController();
  const onRetry = (error: ConnectError) => retries.push(error.rawMessage);
  const watch = client.users.watch({ includeExisting: true }, { retry, signal: controller.signal, onRetry });
  const events = watch[Symbol.asyncIterator]();
  expect(await take(events, 1)).toEqual(["synced"]);
  const rest = take(events, 2);
  await first.app.close();
  await using second = await startServer({ repository, port, auth: false });
  await using direct = createRollcall({ baseUrl: `http://localhost:${port}` });
  await direct.users.create(user("later"));
  expect((await rest).toSorted()).toEqual(["created later", "synced"]);
  expect(retries[0]).toBe("server is shutting down");
  await second.app.close();
  await using _third = await startServer({ port, auth: false });
  expect(await take(events, 2)).toEqual(["reset", "synced"]);
  controller.abort();
  await expect(events.next()).rejects.toThrow("aborted");
});

test("a silent connection counts as lost", async () => {
  let isSilent = false;
  await using server = await startServer({ changes: { progressIntervalMs: 60_000 } });
  await using proxy = await startTcpProxy(server.port, {
    onResponseBytes: (bytes, socket) => {
      // The connection is cut without notice to either side.
      if (isSilent) cut.add(socket);
      return cut.has(socket) ? undefined : bytes;
    },
  });
  const cut = new Set<unknown>();
  await using client = createRollcall({
    baseUrl: proxy.url,
    token: await server.token(),
    protocol: "connect",
    httpVersion: "1.1",
  });
  const retries: string[] = [];
  const controller = new AbortController();
  const onRetry = (error: ConnectError) => retries.push(error.rawMessage);
  const watch = client.users.watch({}, { retry, maxSilenceMs: 300, signal: controller.signal, onRetry });
  const events = watch[Symbol.asyncIterator]();
  expect(await take(events, 1)).toEqual(["synced"]);
  isSilent = true;
  const unanswered = new AbortController();
  client.users.create(user("unanswered"), { signal: unanswered.signal, timeoutMs: 600_000 }).catch(() => {});
  await until(() => server.log.some(({ method }) => String(method).endsWith("/CreateUser")));
  unanswered.abort();
  // Every silence of the server counts, so a slow machine loses more connections than this one.
  const rest = takeUntil(events, "created unanswered");
  await expect.poll(() => retries[0]).toBe("the server has not been heard of for 0.3 s");
  isSilent = false;
  expect((await rest).filter((event) => event !== "synced")).toEqual([]);
  controller.abort();
  await expect(events.next()).rejects.toThrow("aborted");
});

test("a watch ends with what another attempt can't change", async () => {
  await using server = await startServer();
  await using stranger = createRollcall({ baseUrl: server.url });
  await expect(take(stranger.users.watch()[Symbol.asyncIterator](), 1)).rejects.toThrow(UnauthorizedError);
  await using other = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  await using others = createRollcall({ baseUrl: other.url, token: await other.token() });
  let resumeToken = "";
  for await (const event of others.users.watch()) {
    resumeToken = event.resumeToken;
    break;
  }
  const gone = take(client.users.watch({ resumeToken })[Symbol.asyncIterator](), 1);
  await expect(gone).rejects.toThrow(ChangesGoneError);
  const anew = client.users.watch({ resumeToken, includeExisting: true })[Symbol.asyncIterator]();
  expect(await take(anew, 2)).toEqual(["reset", "synced"]);
  await anew.return?.();
});

test("a watch whose token is refused opens again with another, once", async () => {
  await using server = await startServer();
  const stale = await server.token({ ttlSeconds: -10 });
  const valid = await server.token();
  const opened = async (renewed: string) => {
    const asked: (string | undefined)[] = [];
    const getToken = ({ refused }: TokenRequest) => {
      asked.push(refused);
      return refused === stale ? renewed : stale;
    };
    await using client = createRollcall({ baseUrl: server.url, getToken });
    const events = client.users.watch({}, { retry })[Symbol.asyncIterator]();
    const first = await events.next().catch((error: unknown) => error);
    await events.return?.();
    return { first, asked };
  };
  expect(await opened(valid)).toEqual({
    first: { done: false, value: expect.objectContaining({ type: "synced" }) },
    asked: [undefined, stale],
  });
  expect(await opened(stale)).toEqual({ first: expect.any(UnauthorizedError), asked: [undefined, stale] });
  // A token that stays the same is not tried again.
  await using fixed = createRollcall({ baseUrl: server.url, token: stale });
  const retries: ConnectError[] = [];
  const watch = Array.fromAsync(fixed.users.watch({}, { retry, onRetry: (error) => retries.push(error) }));
  await expect(watch).rejects.toThrow(UnauthorizedError);
  expect(retries).toEqual([]);
});

test("a watch whose token expires goes on with the next one", async () => {
  await using server = await startServer();
  // The clock stands still, so the token is valid however late the first call comes. The stream's own timer ends it.
  server.clock.set(Date.now());
  const tokens = [await server.token({ ttlSeconds: 1 }), await server.token()];
  let asked = 0;
  await using client = createRollcall({ baseUrl: server.url, getToken: () => tokens[Math.min(asked++, 1)] });
  const retries: ConnectError[] = [];
  const controller = new AbortController();
  const onRetry = (error: ConnectError) => retries.push(error);
  const watch = client.users.watch({}, { retry, signal: controller.signal, onRetry });
  const events = watch[Symbol.asyncIterator]();
  expect(await take(events, 2)).toEqual(["synced", "synced"]);
  expect(retries.map(({ code }) => code)).toEqual([Code.Unauthenticated]);
  controller.abort();
  await expect(events.next()).rejects.toThrow("aborted");
});
