import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createClient,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { UserService } from "@rollcall/gen/user/v1/user";
import { expect, test } from "vitest";
import { createRetryInterceptor, type RetryEvent, type RetryOptions } from "../src/index.ts";
import { createNodeTransport } from "../src/node/index.ts";
import { delayAfter, RetryBudget } from "../src/retry/policy.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

/** Starts a real server of the contract whose first calls fail with errors that the test chooses. */
async function startFailing(failures: number, fail: (context: HandlerContext) => unknown) {
  let calls = 0;
  const attempt = async (context: HandlerContext) => {
    calls += 1;
    if (calls <= failures) throw await fail(context);
  };
  const routes = (router: ConnectRouter) =>
    router.service(UserService, {
      async getUser({ id }, context) {
        await attempt(context);
        return { user: { id } };
      },
      async createUser({ email }, context) {
        await attempt(context);
        return { user: { email } };
      },
      async deleteUser(_request, context) {
        await attempt(context);
        return { success: true };
      },
    });
  const server = http2.createServer(connectNodeAdapter({ routes }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    get calls() {
      return calls;
    },
    address,
    client(options: RetryOptions = {}, protocol: "grpc" | "connect" = "grpc") {
      const interceptors = [createRetryInterceptor({ initialDelayMs: 1, ...options })];
      return createClient(
        UserService,
        createNodeTransport({ baseUrl: address, protocol, interceptors, pool: { idleTimeoutMs: 1 } }),
      );
    },
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

const unavailable = () => new ConnectError("try again", Code.Unavailable);

for (const code of [Code.Unavailable, Code.DeadlineExceeded]) {
  test(`a read is repeated after ${Code[code]}`, async () => {
    await using server = await startFailing(3, () => new ConnectError("for now", code));
    const events: RetryEvent[] = [];
    const client = server.client({ onRetry: (event) => events.push(event) });
    await client.getUser({ id: "1" });
    expect(server.calls).toBe(4);
    expect(events.map(({ attempt, method, error }) => [attempt, method, error.code])).toEqual(
      [1, 2, 3].map((attempt) => [attempt, "user.v1.UserService/GetUser", code]),
    );
  });
}

for (const code of [Code.Internal, Code.Unknown, Code.Aborted, Code.NotFound, Code.Unauthenticated, Code.Canceled]) {
  test(`nothing is repeated after ${Code[code]}`, async () => {
    await using server = await startFailing(1, () => new ConnectError("for good", code));
    await expect(server.client().getUser({ id: "1" })).rejects.toMatchObject({ code });
    expect(server.calls).toBe(1);
  });
}

test("a write is repeated only with a request id", async () => {
  await using server = await startFailing(1, unavailable);
  expect(UserService.method.createUser.idempotency).toBe(MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN);
  await expect(server.client().createUser({ email: "a@b.c" })).rejects.toMatchObject({ code: Code.Unavailable });
  expect(server.calls).toBe(1);

  await using again = await startFailing(1, unavailable);
  await again.client().createUser({ email: "a@b.c", requestId: "1" });
  expect(again.calls).toBe(2);

  await using deletion = await startFailing(1, unavailable);
  await expect(deletion.client().deleteUser({ id: "1" })).rejects.toMatchObject({ code: Code.Unavailable });
  expect(deletion.calls).toBe(1);
});

test("it gives up after maxAttempts, with the last error", async () => {
  let count = 0;
  await using server = await startFailing(99, () => new ConnectError(`failure ${++count}`, Code.Unavailable));
  await expect(server.client({ maxAttempts: 3 }).getUser({ id: "1" })).rejects.toThrow("failure 3");
  expect(server.calls).toBe(3);
  await expect(server.client({ maxAttempts: 1 }).getUser({ id: "1" })).rejects.toThrow("failure 4");
});

test("what is exhausted is asked for again only where the server says when", async () => {
  const wait = { desc: RetryInfoSchema, value: { retryDelay: { nanos: 1_000_000 } } };
  await using limited = await startFailing(
    3,
    () => new ConnectError("busy", Code.ResourceExhausted, undefined, [wait]),
  );
  await limited.client().getUser({ id: "1" });
  expect(limited.calls).toBe(4);

  await using small = await startFailing(1, () => new ConnectError("too large", Code.ResourceExhausted));
  await expect(small.client().getUser({ id: "1" })).rejects.toMatchObject({ code: Code.ResourceExhausted });
  expect(small.calls).toBe(1);
});

test("the server's RetryInfo decides how long to wait", async () => {
  const wait = { desc: RetryInfoSchema, value: { retryDelay: { seconds: 0n, nanos: 30_000_000 } } };
  await using server = await startFailing(1, () => new ConnectError("busy", Code.ResourceExhausted, undefined, [wait]));
  const delays: number[] = [];
  await server.client({ onRetry: ({ delayMs }) => delays.push(delayMs) }).getUser({ id: "1" });
  // The delay is the server's, plus a part of the backoff (1 ms).
  expect(delays).toHaveLength(1);
  expect(delays[0]).toBeGreaterThanOrEqual(30);
  expect(delays[0]).toBeLessThanOrEqual(31);

  const long = { desc: RetryInfoSchema, value: { retryDelay: { seconds: 60n } } };
  await using busy = await startFailing(1, () => new ConnectError("busy", Code.ResourceExhausted, undefined, [long]));
  // The delay exceeds the deadline, so waiting is useless.
  const call = busy.client().getUser({ id: "1" }, { timeoutMs: 50_000 });
  await expect(call).rejects.toMatchObject({ code: Code.ResourceExhausted });
  expect(busy.calls).toBe(1);
});

for (const protocol of ["grpc", "connect"] as const) {
  test(`an attempt has its own deadline, within the call's, by ${protocol}`, async () => {
    const deadlines: (number | undefined)[] = [];
    const hang = async ({ signal }: HandlerContext) => {
      if (!signal.aborted) await once(signal, "abort");
      return new ConnectError("too late", Code.DeadlineExceeded);
    };
    // On a busy machine many attempts may be late, and each takes a token from the budget.
    const options = { attemptTimeoutMs: 50, maxAttempts: 999, budget: { maxTokens: 10_000 } };
    await using server = await startFailing(1, async (context) => {
      deadlines.push(context.timeoutMs());
      return hang(context);
    });
    const client = server.client(options, protocol);
    await client.getUser({ id: "1" }, { timeoutMs: 100_000 });
    // On a busy machine, an answered attempt may also be too late.
    expect(server.calls).toBeGreaterThanOrEqual(2);
    expect(deadlines).toEqual([expect.toSatisfy((timeoutMs) => timeoutMs <= 50)]);

    await using slow = await startFailing(Infinity, hang);
    const overall = slow.client(options, protocol);
    // Several attempts reach the server within the deadline of one call, if the machine is not too busy.
    let attempts = 0;
    for (let timeoutMs = 200; attempts < 2 && timeoutMs <= 20_000; timeoutMs *= 2) {
      const before = slow.calls;
      await expect(overall.getUser({ id: "1" }, { timeoutMs })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
      attempts = slow.calls - before;
    }
    expect(attempts).toBeGreaterThan(1);
  });
}

test("a later attempt gets what is left of the deadline", async () => {
  const remaining: number[] = [];
  await using server = await startFailing(2, ({ timeoutMs }) => {
    remaining.push(timeoutMs() ?? Number.NaN);
    return unavailable();
  });
  await server.client({ backoff: () => 50 }).getUser({ id: "1" }, { timeoutMs: 20_000 });
  const [first = 0, second = 0] = remaining;
  expect(second).toBeLessThanOrEqual(first - 50);
});

test("abort ends the wait between attempts at once", async () => {
  await using server = await startFailing(99, unavailable);
  const controller = new AbortController();
  const client = server.client({ backoff: () => 600_000, onRetry: () => setImmediate(() => controller.abort()) });
  const call = client.getUser({ id: "1" }, { signal: controller.signal });
  await expect(call).rejects.toMatchObject({ code: Code.Canceled });
  expect(server.calls).toBe(1);
});

test("the budget stops retries when most calls fail, and successes fill it again", async () => {
  await using server = await startFailing(8, unavailable);
  const client = server.client({ budget: { maxTokens: 6, tokenRatio: 1 }, maxAttempts: 4 });
  // Three failed attempts leave half of the six tokens. There is no fourth attempt, and no later retry at all.
  await expect(client.getUser({ id: "1" })).rejects.toThrow();
  expect(server.calls).toBe(3);
  await expect(client.getUser({ id: "1" })).rejects.toThrow();
  expect(server.calls).toBe(4);

  const budget = new RetryBudget({ maxTokens: 2, tokenRatio: 0.5 });
  budget.failed(unavailable());
  expect(budget.allowsRetry).toBe(false);
  budget.succeeded();
  expect(budget.allowsRetry).toBe(true);
});

test("a server that answers unavailable to everything gets hardly more calls than are made", async () => {
  const makeCalls = async (options: RetryOptions) => {
    await using server = await startFailing(Infinity, unavailable);
    const client = server.client(options);
    const call = () => client.getUser({ id: "1" }).catch((error: ConnectError) => error.code);
    const codes = await Promise.all(Array.from({ length: 100 }, call));
    for (let index = 0; index < 100; index++) codes.push(await call());
    expect(new Set(codes)).toEqual(new Set([Code.Unavailable]));
    return server.calls;
  };
  // Retries use half of the budget's ten tokens. 200 calls cause no further ones.
  expect(await makeCalls({})).toBeLessThanOrEqual(205);
  // Each failure takes a token, even if the server allows an immediate retry.
  const wait = { desc: RetryInfoSchema, value: { retryDelay: {} } };
  await using busy = await startFailing(Infinity, () => new ConnectError("full", Code.Unavailable, undefined, [wait]));
  const client = busy.client();
  await Promise.allSettled(Array.from({ length: 100 }, () => client.getUser({ id: "1" })));
  expect(busy.calls).toBeLessThanOrEqual(105);
  // The control: with a budget that is large enough for all calls, each call makes all of its attempts.
  expect(await makeCalls({ budget: { maxTokens: 10_000 } })).toBe(800);
});

test("backoff: full jitter below a doubling bound, linear as in the pattern document, or one's own", () => {
  const error = new ConnectError("x", Code.Unavailable);
  const spread = (attempt: number, options: RetryOptions) =>
    Array.from({ length: 200 }, () => delayAfter(error, attempt, options));
  const second = spread(2, { initialDelayMs: 100 });
  expect(Math.max(...second)).toBeLessThan(200);
  expect(Math.max(...second)).toBeGreaterThan(100);
  expect(Math.min(...second)).toBeLessThan(100);
  expect(Math.max(...spread(50, { maxDelayMs: 300 }))).toBeLessThanOrEqual(300);
  const linear = [1, 2, 3].map((attempt) => delayAfter(error, attempt, { backoff: "linear" }));
  expect(linear).toEqual([100, 200, 300]);
  expect(delayAfter(error, 7, { backoff: (attempt) => attempt })).toBe(7);
});

test("it works with any Connect transport, and leaves streams alone", async () => {
  let calls = 0;
  const interceptor = createRetryInterceptor({ initialDelayMs: 1 });
  const next = interceptor(async () => {
    calls += 1;
    throw unavailable();
  });
  const { signal } = new AbortController();
  const request = { stream: true, signal, contextValues: createContextValues() } as Parameters<typeof next>[0];
  await expect(next(request)).rejects.toThrow("try again");
  expect(calls).toBe(1);
});
