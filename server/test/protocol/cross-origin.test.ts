/** Pages of other origins: their rights, and the way an operator sees that an origin has none. */

import { once } from "node:events";
import { connect } from "node:http2";
import { testCa, testCertificate } from "@rollcall/testing/matrix";
import { openSocket } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const PATH = "/user.v1.UserService/ListUsers";
const FRIEND = "https://friend.example";
const STRANGER = "https://stranger.example";

async function preflight(server: TestServer, origin: string, headers: string) {
  const response = await fetch(server.url + PATH, {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": headers },
  });
  return {
    origin: response.headers.get("access-control-allow-origin"),
    headers: response.headers.get("access-control-allow-headers")?.toLowerCase().split(/, */) ?? [],
  };
}

function refusals(server: TestServer) {
  return server.log.filter(({ msg }) => String(msg).includes("CORS_ORIGINS"));
}

test.concurrent("a page may send the trace context of its telemetry", async () => {
  await using server = await startServer({ corsOrigins: [FRIEND] });
  const { origin, headers } = await preflight(server, FRIEND, "traceparent, tracestate, baggage");
  expect(origin).toBe(FRIEND);
  expect(headers).toEqual(expect.arrayContaining(["traceparent", "tracestate", "baggage", "authorization"]));
});

test.concurrent("pages of applications and extensions get in by their own scheme and name alone", async () => {
  const apps = ["tauri://localhost", "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb", "app://bundle"];
  const others = ["tauri://localhost.evil", "chrome-extension://bbpbdbdomjkkjkaonfhkkikfgjllcleb", "app://", "null"];
  await using server = await startServer({ corsOrigins: apps });
  for (const origin of [...apps, ...others]) {
    const allowed = apps.includes(origin) ? origin : null;
    expect((await preflight(server, origin, "content-type")).origin, origin).toBe(allowed);
    const headers = { origin, "content-type": "application/json", ...(await server.auth()) };
    const response = await fetch(server.url + PATH, { method: "POST", headers, body: "{}" });
    expect(response.headers.get("access-control-allow-origin"), origin).toBe(allowed);
    const socket = openSocket(server, { origin });
    expect(await socket.outcome, origin).toBe(allowed === null ? 403 : "open");
    socket.ws.terminate();
  }
});

describe.concurrent.each([{ corsOrigins: [FRIEND] }, { corsOrigins: [] }])("with %j", (options) => {
  test("an origin that is not let in is one line in the log, which names it and the setting", async () => {
    await using server = await startServer(options);
    for (let i = 0; i < 20; i++) await preflight(server, STRANGER, "content-type");
    const response = await fetch(server.url + PATH, {
      method: "POST",
      headers: { origin: STRANGER, "content-type": "application/json", ...(await server.auth()) },
      body: "{}",
    });
    expect(response.headers.get("access-control-allow-origin")).toBe(null);
    expect(refusals(server)).toMatchObject([{ level: "warn", origin: STRANGER }]);
  });

  test("a flood of origins is a hundred lines", async () => {
    await using server = await startServer(options);
    for (let i = 0; i < 300; i++) {
      await fetch(`${server.url}/healthz`, { headers: { origin: `https://${i}.example` } });
    }
    expect(refusals(server)).toHaveLength(100);
  });
});

test.concurrent("the server's own origin is not reported, nor one that is let in", async () => {
  await using server = await startServer({ corsOrigins: [FRIEND] });
  for (const origin of [server.url, FRIEND]) await fetch(`${server.url}/healthz`, { headers: { origin } });
  await fetch(`${server.url}/healthz`);
  await using secure = await startServer({ tls: testCertificate });
  const session = connect(secure.url, { ca: testCa });
  const stream = session.request({ ":path": "/healthz", origin: secure.url });
  await once(stream, "response");
  session.destroy();
  // The control comes last, so that earlier lines have been logged by then.
  await fetch(`${server.url}/healthz`, { headers: { origin: STRANGER } });
  await until(() => refusals(server).length > 0);
  expect(refusals(server)).toMatchObject([{ origin: STRANGER }]);
  expect(refusals(secure)).toEqual([]);
});
