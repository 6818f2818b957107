import { once } from "node:events";
import http2 from "node:http2";
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import type { Permissions } from "../../src/rpc/auth/permissions.ts";
import { principalKey } from "../../src/rpc/context.ts";

const { routes } = withProbe({
  unary: ({ value }, { values }) =>
    create(StringValueSchema, { value: `${value} from ${values.get(principalKey)?.subject ?? "nobody"}` }),
  async *serverStream() {
    await new Promise(() => {});
  },
});

const unary = "probe.v1.ProbeService/Unary";
const probe = (server: TestServer) => createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
const codeOf = (error: unknown) => Code[ConnectError.from(error).code];

describe("a service that the host mounts", () => {
  const start = (permissions: Permissions) => startServer({ routes, permissions });

  test("is behind the same gate: its scope, or open to all", async () => {
    await using server = await start({ [unary]: "probing" });
    const call = async (scopes: string[]) =>
      probe(server).unary({ value: "hello" }, { headers: await server.auth({ scopes, subject: "ada" }) });
    expect((await call(["probing"])).value).toBe("hello from ada");
    expect(await call(["streams"]).catch(codeOf)).toBe("PermissionDenied");
    expect(await probe(server).unary({ value: "hello" }).catch(codeOf)).toBe("Unauthenticated");
    await using open = await start({ [unary]: "public" });
    expect((await probe(open).unary({ value: "hello" })).value).toBe("hello from nobody");
  });

  test("is denied where it is not listed, whatever the token", async () => {
    await using server = await start({});
    const headers = await server.auth({ scopes: ["probing", "public", "undefined", "constructor"] });
    expect(await probe(server).unary({}, { headers }).catch(codeOf)).toBe("PermissionDenied");
    expect(await probe(server).unary({}).catch(codeOf)).toBe("Unauthenticated");
  });

  test("is in the access log", async () => {
    await using server = await start({ [unary]: "public" });
    await probe(server).unary({ value: "hello" }, { headers: { "x-request-id": "abc-1" } });
    expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({
      level: "info",
      requestId: "abc-1",
      method: unary,
      protocol: "grpc",
      code: "ok",
      durationMs: expect.any(Number),
      requestBytes: 12,
      responseBytes: expect.any(Number),
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$|^\[::1\]:\d+$/),
    });
  });
});

test("without authentication everybody is let in", async () => {
  await using server = await startServer({ routes, auth: false });
  expect((await probe(server).unary({ value: "hello" })).value).toBe("hello from nobody");
});

describe("a call whose handler never answers", () => {
  const endless = withProbe({
    unary: () => new Promise(() => {}),
    async *serverStream() {
      await new Promise(() => {});
    },
  });

  test("ends by the server's default, when its client sets no deadline", async () => {
    await using server = await startServer({ ...endless, defaultTimeoutMs: 100 });
    const call = probe(server).unary({}, { headers: await server.auth() });
    expect(await call.catch(codeOf)).toBe("DeadlineExceeded");
  });

  test.each(["unary", "serverStream"] as const)("ends by the server's maximum: %s", async (method) => {
    await using server = await startServer({ ...endless, maxTimeoutMs: 150 });
    const options = { headers: await server.auth(), timeoutMs: 600_000 };
    const call =
      method === "unary" ? probe(server).unary({}, options) : Array.fromAsync(probe(server).serverStream({}, options));
    expect(await (call as Promise<unknown>).catch(codeOf)).toBe("DeadlineExceeded");
  });

  test("the other protocol's deadline does not count", async () => {
    await using server = await startServer({ ...endless, defaultTimeoutMs: 100, maxTimeoutMs: 100 });
    const headers = { ...(await server.auth()), "connect-timeout-ms": "50000" };
    expect(await probe(server).unary({}, { headers }).catch(codeOf)).toBe("DeadlineExceeded");
    const call = Array.fromAsync(probe(server).serverStream({}, { headers }));
    expect(await call.catch(codeOf)).toBe("DeadlineExceeded");
  });

  test("a deadline beyond what a timer can hold counts as the maximum", async () => {
    await using server = await startServer();
    const call = (timeout: string) =>
      server.auth().then((auth) =>
        fetch(`${server.url}/user.v1.UserService/ListUsers`, {
          method: "POST",
          headers: { ...auth, "content-type": "application/json", "connect-timeout-ms": timeout },
          body: "{}",
        }).then((response) => response.json()),
      );
    expect(await call("9999999999")).not.toHaveProperty("code");
    expect(await call("99999999999")).toMatchObject({ code: "invalid_argument" });
  });
});

describe("a request id", () => {
  const call = async (server: TestServer, headers: Record<string, string>, path = "/healthz") =>
    (await fetch(`${server.url}${path}`, { headers })).headers.get("x-request-id");

  test("of the caller is kept where it is valid, and every answer has one", async () => {
    await using server = await startServer();
    expect(await call(server, { "x-request-id": "trace/1.2:3" })).toBe("trace/1.2:3");
    const made = /^[\da-f-]{36}$/;
    expect(await call(server, {})).toMatch(made);
    expect(await call(server, { "x-request-id": "a b" })).toMatch(made);
    expect(await call(server, { "x-request-id": "x".repeat(129) })).toMatch(made);
    expect(await call(server, {}, "/nothing-here")).toMatch(made);
    expect(await call(server, {}, "/user.v1.UserService/GetUser?encoding=json&message={}")).toMatch(made);
  });
});

describe("a page of another origin", () => {
  const origin = "https://app.example.com";
  const preflight = (server: TestServer, headers: Record<string, string>) =>
    fetch(`${server.url}/user.v1.UserService/ListUsers`, {
      method: "OPTIONS",
      headers: { "access-control-request-method": "POST", ...headers },
    });

  test("may call where its origin is listed, and read what Connect needs", async () => {
    await using server = await startServer({ corsOrigins: [origin] });
    const asked = "authorization,connect-protocol-version,content-type,grpc-timeout,x-grpc-web,x-user-agent";
    const answer = await preflight(server, { origin, "access-control-request-headers": asked });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    const allowed = answer.headers.get("access-control-allow-headers")?.toLowerCase().split(/, */) ?? [];
    expect(allowed).toEqual(expect.arrayContaining(asked.split(",")));
    const response = await fetch(`${server.url}/user.v1.UserService/ListUsers`, {
      method: "POST",
      headers: { origin, "content-type": "application/json", ...(await server.auth()) },
      body: "{}",
    });
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
    const exposed = response.headers.get("access-control-expose-headers")?.toLowerCase().split(/, */) ?? [];
    expect(exposed).toEqual(
      expect.arrayContaining(["grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id"]),
    );
  });

  test("gets no answer to read where its origin is not", async () => {
    for (const corsOrigins of [[], [origin]]) {
      await using server = await startServer({ corsOrigins });
      for (const other of ["https://app.example.com.evil.example", "http://app.example.com", "null"]) {
        const answer = await preflight(server, { origin: other });
        expect(answer.headers.get("access-control-allow-origin")).toBe(null);
      }
    }
  });
});

test("a request that reaches no method is logged with its path", async () => {
  await using server = await startServer();
  await fetch(`${server.url}/nothing-here`);
  const session = http2.connect(server.url);
  const stream = session.request({ ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc" }).end();
  stream.resume();
  await once(stream, "close");
  session.destroy();
  const refused = await until(() => {
    const lines = server.log.filter(({ msg }) => msg === "request refused");
    return lines.length === 2 && lines;
  });
  expect(refused).toMatchObject([
    { path: "/nothing-here", status: 404 },
    { path: "/a.B/C", requestId: expect.any(String) },
  ]);
});
