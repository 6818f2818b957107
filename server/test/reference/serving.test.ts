import { request } from "node:http";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { withProbe } from "@rollcall/testing/probe-service";
import { run } from "@rollcall/testing/run-program";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OpenApiDocument } from "../../src/reference/openapi/document.ts";

const paths = ["/openapi.json", "/docs", "/docs.css", "/llms.txt"];

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

test.each([
  ["/openapi.json", "application/json"],
  ["/docs", "text/html; charset=utf-8"],
  ["/docs.css", "text/css; charset=utf-8"],
])("%s is %s, asked about each time, and sent once", async (path, type) => {
  const response = await fetch(server.url + path);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toMatch(type);
  expect(response.headers.get("cache-control")).toBe("no-cache");
  expect(response.headers.get("vary")).toContain("Accept-Encoding");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  const again = await fetch(server.url + path, { headers: { "if-none-match": response.headers.get("etag") ?? "" } });
  expect(again.status).toBe(304);
  expect((await fetch(server.url + path, { method: "HEAD" })).status).toBe(200);
});

test.each(["gzip", "br", "zstd"])("/openapi.json is sent in %s where that is accepted", async (coding) => {
  const { headers, body } = await get("/openapi.json", coding);
  expect(headers["content-encoding"]).toBe(coding);
  const plain = await get("/openapi.json", "identity");
  expect(plain.headers["content-encoding"]).toBeUndefined();
  expect(body.length).toBeLessThan(plain.body.length / 5);
  if (coding === "gzip") expect(gunzipSync(body).equals(plain.body)).toBe(true);
});

/** Sends a GET request without `fetch`, which would decompress the answer. */
function get(path: string, coding: string) {
  return new Promise<{ headers: NodeJS.Dict<string | string[]>; body: Buffer }>((resolve, reject) => {
    request(server.url + path, { headers: { "accept-encoding": coding } }, async (response) =>
      resolve({ headers: response.headers, body: await buffer(response) }),
    )
      .on("error", reject)
      .end();
  });
}

test("the page has no scripts and no inline styles, and a policy that lets none run", async () => {
  const response = await fetch(`${server.url}/docs`);
  const policy = response.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'; style-src 'self';");
  expect(policy).not.toMatch(/unsafe|script-src|data:|https?:/);
  const page = await response.text();
  expect(page).not.toMatch(/<script|<style|style=|\son\w+=|<iframe/);
  expect(page).toContain("<h3>GetUser</h3>");
  // This server has no web app.
  expect(page).not.toContain("Back to the app");
});

test("every link within the page leads somewhere, and every id is there once", async () => {
  const page = await (await fetch(`${server.url}/docs`)).text();
  const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter((id) => !ids.includes(id))).toEqual([]);
});

test("/llms.txt is a short guide with the address by which it was asked", async () => {
  const response = await fetch(`${server.url}/llms.txt`);
  expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  const text = await response.text();
  expect(text).toMatch(/^# Rollcall\n\n> /);
  expect(text.length).toBeLessThan(8_000);
  for (const path of ["/openapi.json", "/docs"]) expect(text).toContain(`(${server.url}${path})`);
  expect(text).toContain("- `GET, POST /user.v1.UserService/GetUser` (users:read): GetUser returns one user.");
  const proxied = await fetch(`${server.url}/llms.txt`, { headers: { "x-forwarded-proto": "https" } });
  expect(await proxied.text()).toContain(server.url.replace("http:", "https:"));
});

test("the command of the guide works when it is pasted", async ({ skip }) => {
  const text = await (await fetch(`${server.url}/llms.txt`)).text();
  const [, script = ""] = /```sh\n(.*?)```/s.exec(text) ?? [];
  const version = await run("curl", ["--version"]).catch(() => undefined);
  skip(version?.code !== 0, "curl is not installed");
  const { stdout } = await run("sh", ["-ec", script.replace("TOKEN=…", `TOKEN=${await server.token()}`)]);
  expect(JSON.parse(stdout)).toMatchObject({ code: "not_found" });
});

test.each([false, undefined])("nothing is served with docs %j where the host is not localhost", async (docs) => {
  await using other = await startServer({ host: "127.0.0.1", ...(docs === false && { docs, host: "localhost" }) });
  for (const path of paths) expect((await fetch(other.url + path)).status, path).toBe(404);
});

async function documentOf({ url }: TestServer): Promise<OpenApiDocument> {
  return (await (await fetch(`${url}/openapi.json`)).json()) as OpenApiDocument;
}

test("a service that a host mounts is described, its denied methods are not", async () => {
  const { routes, permissions } = withProbe({});
  const { "probe.v1.ProbeService/BidiStream": _, ...listed } = permissions ?? {};
  const comments = { "probe.v1.ProbeService.Unary": "Unary probes <b>once</b>." };
  await using other = await startServer({ routes, permissions: listed, comments });
  const document = await documentOf(other);
  const probe = Object.keys(document.paths).filter((path) => path.includes("Probe"));
  expect(probe).toEqual(["Unary", "ServerStream", "ClientStream"].map((name) => `/probe.v1.ProbeService/${name}`));
  expect(document.paths[probe[0] ?? ""]?.post.description).toBe(comments["probe.v1.ProbeService.Unary"]);
  expect(await (await fetch(`${other.url}/docs`)).text()).toContain("Unary probes &#60;b&#62;once&#60;/b&#62;.");
});

test("without authentication no method asks for a token", async () => {
  await using other = await startServer({ auth: false });
  const document = await documentOf(other);
  expect(document.paths["/user.v1.UserService/DeleteUser"]?.post.security).toEqual([]);
});
