/** Connect GET: callers may cache the answers themselves, and have to revalidate them each time. */
import http2 from "node:http2";
import { buffer } from "node:stream/consumers";
import { UserService } from "@rollcall/gen/user/v1/user";
import { withProbe } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

type Get = (server: TestServer, path: string, headers?: Record<string, string>) => Promise<Answer>;

const getByHttp1: Get = async (server, path, headers = {}) =>
  rawRequest("GET", server.url + path, { ...(await server.auth()), ...headers });

const getByHttp2: Get = async (server, path, headers = {}) => {
  const session = http2.connect(server.url);
  const stream = session.request({ ":path": path, ...(await server.auth()), ...headers });
  const [response] = await new Promise<[http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader]>((resolve) =>
    stream.on("response", (...all) => resolve([all[0]])),
  );
  const body = await buffer(stream);
  session.destroy();
  const { ":status": status = 0 } = response;
  const fields = Object.entries(response).filter(([name]) => !name.startsWith(":"));
  return { status, headers: new Headers(fields as [string, string][]), body };
};

const query = (message: object) => `?encoding=json&message=${encodeURIComponent(JSON.stringify(message))}`;
const listUsers = `/${UserService.typeName}/ListUsers${query({})}`;
const probe = `/probe.v1.ProbeService/Unary?encoding=json&message=%22x%22`;

async function createUser(server: TestServer, name: string): Promise<void> {
  const response = await fetch(`${server.url}/${UserService.typeName}/CreateUser`, {
    method: "POST",
    headers: { ...(await server.auth()), "content-type": "application/json" },
    body: JSON.stringify({ name, email: `${name}@example.com` }),
  });
  expect(response.status).toBe(200);
}

describe.each(["direct", "stock"] as const)("the %s carrier", (rpcEngine) => {
  describe.each([
    ["HTTP/1.1", getByHttp1],
    ["HTTP/2", getByHttp2],
  ])("%s", (_version, get) => {
    test("an answer has a tag, and is sent again only when it has changed", async () => {
      await using server = await startServer({ rpcEngine });
      await createUser(server, "ada");
      const first = await get(server, listUsers);
      expect(first.status).toBe(200);
      const tag = first.headers.get("etag") ?? "";
      expect(tag).toMatch(/^W\/"[\w-]{22}"$/);
      const kept = { "cache-control": "private, no-cache", vary: "Accept-Encoding, Authorization" };
      expect(Object.fromEntries(first.headers)).toMatchObject(kept);

      for (const known of [tag, tag.slice(2), `"other", ${tag}`, "*"]) {
        const again = await get(server, listUsers, { "if-none-match": known });
        expect([again.status, again.body.length]).toEqual([304, 0]);
        expect(Object.fromEntries(again.headers)).toMatchObject({ ...kept, etag: tag });
        expect(again.headers.get("x-request-id")).not.toBe(null);
        for (const name of ["content-type", "content-length", "content-encoding"])
          expect(again.headers.get(name)).toBe(null);
      }
      for (const other of ['"other"', tag.slice(0, -1), ""])
        expect((await get(server, listUsers, { "if-none-match": other })).status).toBe(200);

      await createUser(server, "grace");
      const changed = await get(server, listUsers, { "if-none-match": tag });
      expect(changed.status).toBe(200);
      expect(changed.body.toString()).toContain("grace");
      expect(changed.headers.get("etag")).not.toBe(tag);
      const lines = await until(() => {
        const calls = server.log.filter(({ method }) => method === "user.v1.UserService/ListUsers");
        return calls.length === 9 && calls;
      });
      expect(lines.map(({ code }) => code)).toEqual(Array(9).fill("ok"));
    });

    test("an error is never kept, and says what it is whatever the client has", async () => {
      await using server = await startServer({ rpcEngine });
      const missing = `/${UserService.typeName}/GetUser${query({ id: "01a21c2e-2549-767d-9adb-63bd40db6ddc" })}`;
      const unsigned = { authorization: "Bearer x" };
      const cases: [string, Record<string, string>, number][] = [
        [missing, {}, 404],
        [listUsers, unsigned, 401],
        [`/${UserService.typeName}/CreateUser${query({})}`, {}, 405],
        [`/${UserService.typeName}/ListUsers`, {}, 415],
      ];
      for (const [path, headers, status] of cases) {
        const answer = await get(server, path, { "if-none-match": "*", ...headers });
        expect(answer.status).toBe(status);
        expect(answer.headers.get("cache-control")).toBe("no-store");
        expect(answer.headers.get("etag")).toBe(null);
      }
    });

    test("pages of other origins are told apart too", async () => {
      const origin = "https://page.example";
      await using server = await startServer({ rpcEngine, corsOrigins: [origin] });
      const { headers } = await get(server, listUsers, { origin });
      expect(headers.get("vary")).toBe("Origin, Accept-Encoding, Authorization");
      const again = await get(server, listUsers, { origin, "if-none-match": headers.get("etag") ?? "" });
      expect(again.status).toBe(304);
      expect(again.headers.get("access-control-allow-origin")).toBe(origin);
      expect(again.headers.get("vary")).toBe("Origin, Accept-Encoding, Authorization");
    });
  });

  test("a handler's own headers stand", async () => {
    const unary = withProbe({
      unary(_request, { responseHeader }) {
        responseHeader.set("etag", '"seven"');
        responseHeader.set("cache-control", "private, max-age=60");
        responseHeader.set("x-own", "1");
        return { value: "y" };
      },
    });
    await using server = await startServer({ rpcEngine, ...unary });
    const own = { etag: '"seven"', "cache-control": "private, max-age=60", "x-own": "1" };
    const { status, headers } = await getByHttp1(server, probe);
    expect([status, Object.fromEntries(headers)]).toEqual([200, expect.objectContaining(own)]);
    const again = await getByHttp1(server, probe, { "if-none-match": '"seven"' });
    expect([again.status, Object.fromEntries(again.headers)]).toEqual([304, expect.objectContaining(own)]);
  });

  test("a large answer is sent without a tag, and compressed as its client asks", async () => {
    let value = "x".repeat(2_000_000);
    await using server = await startServer({ rpcEngine, ...withProbe({ unary: () => ({ value }) }) });
    const large = await getByHttp1(server, probe, { "if-none-match": "*", "accept-encoding": "identity" });
    expect([large.status, large.headers.get("etag"), large.body.length]).toEqual([200, null, 2_000_002]);
    expect(large.headers.get("cache-control")).toBe("private, no-cache");
    value = "x".repeat(20_000);
    for (const coding of ["gzip", "br", "zstd"]) {
      const { headers, body } = await getByHttp1(server, probe, { "accept-encoding": coding });
      expect(headers.get("content-encoding")).toBe(coding);
      expect(body.length).toBeLessThan(1_000);
      const tag = headers.get("etag") ?? "";
      const again = await getByHttp1(server, probe, { "accept-encoding": coding, "if-none-match": tag });
      expect([again.status, again.headers.get("content-encoding")]).toEqual([304, null]);
    }
  });
});
