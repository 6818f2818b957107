import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { launchChromium } from "@rollcall/testing/chromium";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { startServer } from "@rollcall/testing/start-server";
import { build } from "vite";
import { expect, test } from "vitest";
import { createRollcall } from "../src/node/index.ts";
import { startExample } from "./support/example-folder.ts";

/** Builds an example of the README as a page, serves it and opens it, signed in. */
async function openExample(info: string, file: string) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await startExample());
  const [code = ""] = examplesIn(await readFile(join(import.meta.dirname, "../README.md"), "utf8"), info);
  await writeFile(join(folder.path, file), code);
  await writeFile(join(folder.path, "index.html"), `<body></body><script type="module" src="/${file}"></script>`);
  const jsx = { runtime: "automatic" } as const;
  await build({ root: folder.path, configFile: false, logLevel: "error", oxc: { jsx }, build: { target: "esnext" } });
  const server = stack.use(await startServer({ webRoot: join(folder.path, "dist") }));
  const browser = stack.use(await launchChromium());
  const page = stack.use(await browser.newPage());
  await page.addInitScript({ content: `sessionStorage.setItem("rollcall.token", "${await server.token()}")` });
  await page.goto(server.url);
  return { server, page, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("the README's page in Chromium", async () => {
  await using example = await openExample("ts browser", "main.ts");
  await example.page.getByText("0 users").waitFor();
});

test("the README's page with hooks shows what it changes, and what others change", async () => {
  await using example = await openExample("tsx react", "main.tsx");
  const { page, server } = example;
  const press = (name: string) => page.getByRole("button", { name, exact: true }).click();
  await page.getByText("live", { exact: true }).waitFor();
  await press("Add Ada");
  await press("Cheer Ada");
  await page.getByRole("button", { name: "Cheer Ada!" }).waitFor();
  await press("Ada!");
  await page.getByText("ada@example.com: 2 changes").waitFor();
  await press("Add Ada");
  await page.getByText("email already in use").waitFor();
  await page.getByRole("textbox").fill("ada");
  await press("Add Ada");
  await page.getByText(/^email: .*valid email/).waitFor();

  await using other = createRollcall({ baseUrl: server.url, token: await server.token() });
  await other.users.create({ email: "grace@example.com", name: "Grace" });
  await page.getByRole("button", { name: "Remove Grace" }).waitFor();
  // Changes come one by one: a change during the reading of the next page would cause the list to be read again
  // instead.
  await other.users.create({ email: "zoe@example.com", name: "Zoe" });
  await press("More");
  await page.getByRole("button", { name: "Remove Zoe" }).waitFor();
  await press("Remove Ada!");
  await page.getByRole("button", { name: "Remove Ada!" }).waitFor({ state: "detached" });
  expect((await other.users.list({ orderBy: "name" })).users.map(({ name }) => name)).toEqual(["Grace", "Zoe"]);
});
