import { BlockList } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { createRollcall } from "@rollcall/client/node";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { KeysUnavailableError } from "@rollcall/server";
import { connectErrorOf, GrpcJsClient } from "@rollcall/testing/grpc-js";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { startServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const UNARY = "/probe.v1.ProbeService/Unary";
/** Rate so low that no call becomes free again during a test. */
const perSecond = 0.001;
const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

const probe = withProbe({
  unary: ({ value }) => ({ value }),
  async *serverStream({ value }) {
    yield { value };
  },
});

describe.each(["direct", "stock"] as const)("by the %s carrier, a principal", (rpcEngine) => {
  test("has its burst, and is then told when to come back, by grpc-js", async () => {
    await using server = await startServer({ ...probe, rpcEngine, rateLimit: { perSecond, burst: 2 } });
    const metadata = new Metadata();
    metadata.set("authorization", (await server.auth()).authorization);
    using client = new GrpcJsClient(server.port, metadata, undefined, { "grpc.enable_retries": 0 });
    const call = () => client.unary(ProbeService.method.unary, { value: "x" });
    await call();
    await call();
    const error: ServiceError = await call().then(
      () => expect.unreachable(),
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code: Code.ResourceExhausted, details: "rate limit exceeded" });
    const [pushback] = error.metadata.get("grpc-retry-pushback-ms");
    expect(Number(pushback)).toBeGreaterThan(900_000);
    expect(Number(pushback)).toBeLessThanOrEqual(1_000_000);
    const [info] = connectErrorOf(error)?.findDetails(RetryInfoSchema) ?? [];
    const { seconds = 0n, nanos = 0 } = info?.retryDelay ?? {};
    expect(Number(seconds) * 1_000 + nanos / 1e6).toBeCloseTo(Number(pushback));
    // Other callers have their own limits.
    const other = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
    await other.unary({}, { headers: await server.auth({ subject: "other" }) });
    const lines = server.log.filter(({ msg }) => msg === "call");
    expect(lines.map(({ code }) => code)).toEqual(["ok", "ok", "resource_exhausted", "ok"]);
    expect(lines[2]).toMatchObject({ principal: "tester" });
  });

  test("sees in each answer over HTTP what is left", async () => {
    await using server = await startServer({ ...probe, rpcEngine, rateLimit: { perSecond, burst: 2 } });
    const headers = { ...(await server.auth()), "content-type": "application/json" };
    const call = () => rawRequest("POST", server.url + UNARY, headers, '"x"');
    const answers = [await call(), await call(), await call()];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    const left = answers.map((answer) => answer.headers.get("ratelimit"));
    expect(left).toEqual([1, 0, 0].map((r) => expect.stringMatching(new RegExp(`^"principal";r=${r};t=\\d+$`))));
    for (const answer of answers) expect(answer.headers.get("ratelimit-policy")).toBe('"principal";q=2;w=2000');
    expect(answers[0]?.headers.has("retry-after")).toBe(false);
    expect(Number(answers[2]?.headers.get("retry-after"))).toBeGreaterThan(900);
    expect(JSON.parse(String(answers[2]?.body))).toMatchObject({ code: "resource_exhausted" });
  });

  test("has one limit for calls and streams, in every protocol", async () => {
    await using server = await startServer({ ...probe, rpcEngine, rateLimit: { perSecond, burst: 1 } });
    const headers = await server.auth();
    const baseUrl = server.url;
    await createClient(ProbeService, createGrpcTransport({ baseUrl })).unary({}, { headers });
    const refused = { code: Code.ResourceExhausted, rawMessage: "rate limit exceeded" };
    for (const transport of [
      createGrpcTransport({ baseUrl }),
      createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
      createConnectTransport({ baseUrl, httpVersion: "2" }),
    ]) {
      const client = createClient(ProbeService, transport);
      const errors = [client.unary({}, { headers }), Array.fromAsync(client.serverStream({}, { headers }))];
      for (const error of errors.map((call) => call.then(() => undefined, ConnectError.from))) {
        expect(await error).toMatchObject(refused);
        expect((await error)?.findDetails(RetryInfoSchema)).toHaveLength(1);
      }
    }
  });

  test("does not spend what its address may: many of them can share one", async () => {
    await using server = await startServer({ ...probe, rpcEngine, rateLimit: { perSecond, burst: 2 } });
    const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
    for (let i = 0; i < 6; i++) await client.unary({}, { headers: await server.auth({ subject: `user ${i}` }) });
  });
});

describe.each(["direct", "stock"] as const)("by the %s carrier, calls without a good token", (rpcEngine) => {
  test("are counted by address, before the token is verified; those of known principals go on", async () => {
    await using server = await startServer({ ...probe, rpcEngine, rateLimit: { perSecond, burst: 3 } });
    const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
    const headers = await server.auth();
    await client.unary({}, { headers });
    const codeOf = (authorization?: string) =>
      client.unary({}, authorization === undefined ? {} : { headers: { authorization } }).then(
        () => undefined,
        (error) => ConnectError.from(error).code,
      );
    const codes = [await codeOf(), await codeOf("Bearer nonsense"), await codeOf("what"), await codeOf("Bearer a.b.c")];
    expect(codes).toEqual([...Array(3).fill(Code.Unauthenticated), Code.ResourceExhausted]);
    await client.unary({}, { headers });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });

  test("count for the address that a trusted proxy names, an IPv6 one as its network", async () => {
    const limits = { trustedProxies: loopback };
    await using server = await startServer({ ...probe, rpcEngine, limits, rateLimit: { perSecond, burst: 2 } });
    const statusOf = async (address: string | undefined) => {
      const headers = { "content-type": "application/json", ...(address && { "x-forwarded-for": address }) };
      return (await rawRequest("POST", server.url + UNARY, headers, '"x"')).status;
    };
    const statuses = async (...addresses: (string | undefined)[]) => {
      const each: number[] = [];
      for (const address of addresses) each.push(await statusOf(address));
      return each;
    };
    const spoofed = "198.51.100.7, 192.0.2.1";
    expect(await statuses("192.0.2.1", "192.0.2.1", "192.0.2.1", spoofed)).toEqual([401, 401, 429, 429]);
    expect(await statuses("192.0.2.2", "198.51.100.7")).toEqual([401, 401]);
    expect(await statuses("2001:db8::1", "2001:db8::2:1", "2001:db8::3")).toEqual([401, 401, 429]);
    expect(await statuses("2001:db8:0:1::1")).toEqual([401]);
    // The proxy's own address stands for many callers, so it is not limited.
    expect(await statuses(undefined, undefined, undefined)).toEqual([401, 401, 401]);
  });
});

test("tokens that can't be verified at the moment do not count", async () => {
  const auth = async () => {
    throw new KeysUnavailableError("away");
  };
  await using server = await startServer({ ...probe, auth, rateLimit: { perSecond, burst: 1 } });
  const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
  for (let i = 0; i < 3; i++) {
    const call = client.unary({}, { headers: { authorization: "Bearer a.b.c" } });
    expect(await call.then(() => undefined, ConnectError.from)).toMatchObject({ code: Code.Unavailable });
  }
});

test("the client library waits as long as it is told, and the call succeeds", async () => {
  await using server = await startServer({ rateLimit: { perSecond: 4, burst: 1 } });
  const waits: number[] = [];
  await using client = createRollcall({
    baseUrl: server.url,
    token: await server.token(),
    retry: { initialDelayMs: 1, onRetry: ({ delayMs }) => waits.push(delayMs) },
  });
  // The client's own backoff takes only some milliseconds.
  do await Promise.all([1, 2, 3].map(() => client.users.list({})));
  while (Math.max(...waits) < 100);
});

test("without the setting nothing is refused, and no answer tells of a limit", async () => {
  await using server = await startServer(probe);
  const headers = { ...(await server.auth()), "content-type": "application/json" };
  for (let i = 0; i < 20; i++) {
    const answer = await rawRequest("POST", server.url + UNARY, headers, '"x"');
    expect([answer.status, answer.headers.get("ratelimit")]).toEqual([200, null]);
  }
});
