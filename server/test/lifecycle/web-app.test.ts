import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SignInOptions } from "@rollcall/server";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

/** Builds a folder with a page and its one asset. The folder is removed at the end of the `await using` block. */
async function buildWebRoot(): Promise<AsyncDisposable & { root: string; build(name: string): Promise<void> }> {
  const parent = await mkdtemp(join(tmpdir(), "rollcall-web-"));
  await writeFile(join(parent, "secret.txt"), "out of reach");
  const root = join(parent, "web");
  await mkdir(root);
  const build = async (name: string) => {
    await rm(join(root, "assets"), { recursive: true, force: true });
    await mkdir(join(root, "assets"));
    await writeFile(join(root, "assets", `${name}.js`), `"${name}"`);
    await writeFile(join(root, "assets", `${name}.js.br`), "as if compressed");
    await writeFile(join(root, "index.html"), `<script src="./assets/${name}.js"></script>`);
  };
  await build("first");
  return { root, build, [Symbol.asyncDispose]: () => rm(parent, { recursive: true }) };
}

/** Requests a path exactly as given; fetch would rewrite it. */
function get(server: TestServer, path: string, headers: http.OutgoingHttpHeaders = { accept: "text/html" }) {
  return new Promise<{ status: number; headers: http.IncomingHttpHeaders; text: string }>((resolve, reject) => {
    http
      .get({ host: "localhost", port: server.port, path, headers }, async (response) => {
        let text = "";
        for await (const part of response) text += part;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      })
      .on("error", reject);
  });
}

test("a page that is built while the server runs has its assets", async () => {
  await using web = await buildWebRoot();
  await using server = await startServer({ webRoot: web.root });
  expect((await get(server, "/assets/first.js")).text).toBe('"first"');
  await web.build("second");
  expect((await get(server, "/")).text).toContain("/assets/second.js");
  const asset = await get(server, "/assets/second.js");
  expect(asset).toMatchObject({ status: 200, text: '"second"' });
  expect(asset.headers).toMatchObject({
    "cache-control": "public, max-age=31536000, immutable",
    "content-type": expect.stringContaining("javascript"),
    "x-content-type-options": "nosniff",
    "content-security-policy": expect.stringContaining("default-src 'none'"),
  });
  const compressed = await get(server, "/assets/second.js", { "accept-encoding": "br" });
  expect(compressed).toMatchObject({ text: "as if compressed", headers: { "content-encoding": "br" } });
});

test.each([
  ["/assets/first.js", 200, /javascript/, "public, max-age=31536000, immutable"],
  ["/assets/missing.js", 404, /json/, "no-store"],
  ["/assets/missing", 404, /json/, "no-store"],
  ["/assets/", 404, /json/, "no-store"],
  ["/assets/..%2findex.html", 404, /json/, "no-store"],
  ["/users", 200, /html/, "no-store"],
  ["/", 200, /html/, "no-store"],
  ["//", 404, /json/, "no-store"],
  ["//evil.example", 404, /json/, "no-store"],
  ["//evil/users", 404, /json/, "no-store"],
])("%s is answered with %i", async (path, status, contentType, cacheControl) => {
  await using web = await buildWebRoot();
  await using server = await startServer({ webRoot: web.root });
  const response = await get(server, path);
  expect(response.status).toBe(status);
  expect(response.headers["content-type"]).toMatch(contentType);
  expect(response.headers["cache-control"]).toBe(cacheControl);
});

test.each([
  "/../secret.txt",
  "/assets/../../secret.txt",
  "/%2e%2e/secret.txt",
  "/assets/..%2f..%2fsecret.txt",
  "/assets/..%5c..%5csecret.txt",
  "/assets/%252e%252e%252f%252e%252e%252fsecret.txt",
  "/assets/first.js%00.html",
])("%s gets nothing of what is beside the folder", async (path) => {
  await using web = await buildWebRoot();
  await using server = await startServer({ webRoot: web.root });
  for (const headers of [{ accept: "text/html" }, {}]) {
    const response = await get(server, path, headers);
    expect([403, 404]).toContain(response.status);
    expect(response.headers["content-type"]).toMatch(/json/);
    expect(response.text).not.toContain("out of reach");
  }
});

test.each([
  ["/", "./"],
  ["/users?q=a/b", "./"],
  ["/users/", "../"],
  ["/no/such/page", "../../"],
])("%s finds its files below whatever a proxy has put in front: in %s", async (path, folder) => {
  await using web = await buildWebRoot();
  await using server = await startServer({ webRoot: web.root });
  const { text, headers } = await get(server, path);
  expect(text).toBe(`<script src="${folder}assets/first.js"></script>`);
  expect(headers).toMatchObject({
    "cache-control": "no-store",
    "content-type": expect.stringContaining("text/html"),
    "content-security-policy": expect.stringContaining("default-src 'none'"),
    "x-content-type-options": "nosniff",
  });
});

test("the page learns how people sign in, and may call their provider and nobody else", async () => {
  await using web = await buildWebRoot();
  const signIn: SignInOptions = {
    kind: "provider",
    issuer: "https://id.example.com:8443/realms/main",
    clientId: "rollcall-web",
    scope: "openid users:read",
    parameters: {},
  };
  await using server = await startServer({ webRoot: web.root, signIn });
  const config = await get(server, "/app-config.json");
  expect(JSON.parse(config.text)).toEqual({ signIn, docs: true });
  expect(config.headers["cache-control"]).toBe("no-store");
  for (const path of ["/", "/no/such/page"]) {
    const policy = String((await get(server, path)).headers["content-security-policy"]);
    expect(policy.split("; ")).toContain("connect-src 'self' https://id.example.com:8443");
  }
  await using other = await startServer({ webRoot: web.root, docs: false });
  expect(JSON.parse((await get(other, "/app-config.json")).text)).toEqual({ signIn: { kind: "token" }, docs: false });
  expect((await get(other, "/")).headers["content-security-policy"]).toContain("connect-src 'self';");
});

test("a query is not logged, its path is", async () => {
  await using server = await startServer();
  await get(server, "/nothing/here?token=secret");
  const { authorization } = await server.auth();
  await get(server, `/user.v1.UserService/GetUser?connect=v9&message=secret`, { authorization });
  const refused = server.log.filter(({ msg }) => msg === "request refused");
  expect(refused.map(({ path }) => path)).toContain("/nothing/here");
  expect(JSON.stringify(server.log)).not.toContain("secret");
});
