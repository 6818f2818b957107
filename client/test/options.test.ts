import { Code, ConnectError } from "@connectrpc/connect";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import {
  createRollcall as createBrowserRollcall,
  createFetchTransport,
  createRetryInterceptor,
  type Rollcall,
} from "../src/index.ts";
import { createNodeTransport, createRollcall } from "../src/node/index.ts";
import { delayAfter } from "../src/retry/policy.ts";

const create = {
  browser: createBrowserRollcall,
  "a browser's transport": createFetchTransport,
  Node: createRollcall,
  "Node's transport": createNodeTransport,
} as Record<string, (options: never) => unknown>;

/** Options as a program in JavaScript may pass them, and the words of their errors. */
const wrongOptions: [platforms: string, options: object, words: string | RegExp][] = [
  ["browser", { protocol: "grpc" }, 'protocol must be "connect" or "grpc-web" or "grpc-websockets", but it is "grpc"'],
  ["Node", { protocol: "grpc-websockets" }, 'protocol must be "grpc" or "grpc-web" or "connect", but it is "grpc-web'],
  ["browser, Node", { protocol: "__proto__" }, 'but it is "__proto__"'],
  ["browser, Node", { protocol: `\u001b[31m${"x".repeat(500)}` }, /but it is "\\u001b\[31mx{40,50}$/],
  ["browser, Node", { protocol: null }, "but it is null"],
  ["Node", { httpVersion: "3" }, 'httpVersion must be "1.1" or "2", but it is "3"'],
  ["Node", { httpVersion: 2 }, 'httpVersion must be "1.1" or "2", but it is 2'],
  ["Node", { acceptCompression: ["zstd"] }, 'acceptCompression: each name must be "gzip" or "br", but it is "zstd"'],
  ["Node", { acceptCompression: "gzip" }, 'acceptCompression must be a list, but it is "gzip"'],
  ["Node", { sendCompression: "zstd" }, 'sendCompression must be "gzip" or "br", but it is "zstd"'],
  ["Node", { compressMinBytes: -1 }, "compressMinBytes must be a whole number from 0 to 4294967295, but it is -1"],
  ["Node", { readMaxBytes: 1.5 }, "readMaxBytes must be a whole number from 1 to 4294967295, but it is 1.5"],
  ["browser", { readMaxBytes: 0 }, "readMaxBytes must be a number of 1 or more, but it is 0"],
  ["Node", { readMaxBytes: 0 }, "readMaxBytes must be a whole number from 1 to 4294967295, but it is 0"],
  ["browser", { maxQueuedBytes: "1" }, 'maxQueuedBytes must be a number of 1 or more, but it is "1"'],
  ["browser", { connectTimeoutMs: 0 }, "connectTimeoutMs must be a number of 1 or more, but it is 0"],
  ["Node", { tls: { ca: Buffer.from("-----BEGIN") } }, "tls.ca must be a string, but it is object"],
  ["browser, Node", { retry: Object.create(null, { backoff: { value: Object.create(null) } }) }, "it is object"],
  ["browser, Node", { useHttpGet: "false" }, 'useHttpGet must be a boolean, but it is "false"'],
  ["browser, Node", { useBinaryFormat: 0 }, "useBinaryFormat must be a boolean, but it is 0"],
  ["browser, Node", { timeoutMs: Number.NaN }, "timeoutMs must be a number of 0 or more, but it is NaN"],
  ["browser, Node", { token: null }, "token must be a string, but it is null"],
  ["browser, Node", { token: { secret: "s" } }, "token must be a string, but it is object"],
  ["browser, Node", { getToken: "t" }, "getToken must be a function"],
  ["browser, Node", { trace: {} }, "trace must be a function, but it is object"],
  ["browser, Node", { retry: "false" }, 'retry must be an object or false, but it is "false"'],
  ["browser, Node", { retry: null }, "retry must be an object or false, but it is null"],
  [
    "browser, Node",
    { retry: { backoff: "fibonacci" } },
    'retry.backoff must be "exponential", "linear" or a function, but it is "fibonacci"',
  ],
  ["browser, Node", { retry: { maxAttempts: 0 } }, "retry.maxAttempts must be a number of 1 or more, but it is 0"],
  ["browser, Node", { retry: { initialDelayMs: -1 } }, "retry.initialDelayMs must be a number of 0 or more"],
  ["browser, Node", { retry: { maxDelayMs: Number.NaN } }, "retry.maxDelayMs must be a number of 0 or more"],
  ["browser, Node", { retry: { attemptTimeoutMs: 0 } }, "retry.attemptTimeoutMs must be a number of 1 or more"],
  ["browser, Node", { retry: { budget: { maxTokens: 0 } } }, "retry.budget.maxTokens must be a number of 1 or more"],
  ["browser, Node", { retry: { budget: { tokenRatio: "1" } } }, "retry.budget.tokenRatio must be a number of 0"],
];

test.each(wrongOptions)("in %s, %j is refused at once", (platforms, options, words) => {
  for (const platform of platforms.split(", ")) {
    const attempt = () => create[platform]?.({ baseUrl: "http://localhost", ...options } as never);
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow(words);
  }
});

test("options that are undefined count as left out, and the limits of a range are in it", async () => {
  const undefinedOptions = Object.fromEntries(
    wrongOptions.flatMap(([, options]) => Object.keys(options).map((name) => [name, undefined])),
  );
  for (const options of [
    undefinedOptions,
    { retry: { backoff: undefined, maxAttempts: undefined, attemptTimeoutMs: undefined, budget: undefined } },
    { timeoutMs: 0, readMaxBytes: 1, connectTimeoutMs: Infinity, retry: { maxAttempts: Infinity, initialDelayMs: 0 } },
    { timeoutMs: Infinity, compressMinBytes: 0, acceptCompression: [], retry: { attemptTimeoutMs: Infinity } },
  ]) {
    for (const each of Object.values(create)) each({ baseUrl: "http://localhost", ...options } as never);
  }
});

test("a transport's options are checked without a client too", () => {
  for (const platform of ["a browser's transport", "Node's transport"]) {
    for (const options of [{ protocol: "http" }, { timeoutMs: Number.NaN }, { readMaxBytes: 0 }]) {
      expect(() => create[platform]?.({ baseUrl: "http://localhost", ...options } as never)).toThrow(TypeError);
    }
  }
});

test("a retry's options are checked without a client too", () => {
  expect(() => createRetryInterceptor({ maxAttempts: Number.NaN })).toThrow(
    "maxAttempts must be a number of 1 or more",
  );
});

test("a call's deadline must be a number", async () => {
  await using server = await startServer();
  const options = { baseUrl: server.url, token: await server.token() };
  for (const each of [createRollcall, createBrowserRollcall]) {
    await using client: Rollcall = each(options);
    await expect(client.users.list({}, { timeoutMs: Number.NaN })).rejects.toThrow("timeoutMs must be a number");
    await expect(Array.fromAsync(client.streams.query("q", { timeoutMs: Number.NaN }))).rejects.toThrow("must be a");
    expect((await client.users.list({}, { timeoutMs: 0 })).users).toEqual([]);
  }
});

test("a socket's endless time to open does not end its call at once", async () => {
  await using server = await startServer();
  const options = { baseUrl: server.url, token: await server.token(), connectTimeoutMs: Infinity };
  await using client = createBrowserRollcall(options);
  expect(await client.streams.upload(new Blob(["abc"]))).toMatchObject({ totalBytes: 3 });
});

test("a backoff that is no time counts as 0", () => {
  const error = new ConnectError("away", Code.Unavailable);
  for (const ms of [Number.NaN, -1]) expect(delayAfter(error, 1, { backoff: () => ms })).toBe(0);
});

test("an attempt's endless deadline does not end it at once", async () => {
  await using server = await startServer();
  const retry = { attemptTimeoutMs: Infinity };
  await using client = createRollcall({ baseUrl: server.url, token: await server.token(), timeoutMs: 0, retry });
  expect((await client.users.list()).users).toEqual([]);
});
