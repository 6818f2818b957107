import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "@rollcall/testing/root";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runBruno } from "./support/bruno.ts";
import { runHttpFile } from "./support/http-file.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const folder = join(root, "examples/bruno");

test("the Bruno collection runs, and all that it asserts holds", async () => {
  const results = await runBruno(folder, { url: server.url, token: await server.token() });
  expect(results.filter(({ failures }) => failures.length > 0)).toEqual([]);
  expect(results.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 200, 404, 200]);
});

test("the control: without a good token it does not", async () => {
  const [first] = await runBruno(folder, { url: server.url, token: "none" });
  expect(first?.failures[0]).toBe("res.status is 401, not 200");
});

test("the .http file runs", async () => {
  const text = readFileSync(join(root, "examples/rollcall.http"), "utf8");
  const results = await runHttpFile(text, { url: server.url }, { TOKEN: await server.token() });
  expect(results.filter(({ status }) => status !== 200)).toEqual([]);
  expect(results.map(({ title }) => title)).toHaveLength(8);
  expect(results.find(({ title }) => title === "Read it by GET")?.body).toMatchObject({
    user: { email: "hedy@example.com" },
  });
});
