/** The packages as people get them: dependencies from npm's registry, so this needs a network; Node.js 22 and 26. */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchChromium } from "@rollcall/testing/chromium";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { packPackages } from "../scripts/pack.ts";
import {
  buildViteApp,
  compileExamples,
  createOutsideFolder,
  installPacked,
  packedIn,
  runExamples,
} from "./support/outside-folder.ts";

const folder = await mkdtempDisposable(join(tmpdir(), "rollcall-packed-"));
await packPackages(folder.path);
const packed = packedIn(folder.path);

test.for(["22", "26"])("with Node.js %s, client and command run all examples of the README", async (version) => {
  using nodes = createOutsideFolder();
  nodes.write("package.json", "{}");
  await nodes.run("npm", ["install", `node@${version}`], process.env);
  const node = join(nodes.path, "node_modules/node/bin/node");
  expect(await nodes.run(node, ["--version"])).toMatch(`v${version}.`);

  using outside = createOutsideFolder();
  // A program that traces by OpenTelemetry has its API already.
  await installPacked(outside, [packed.gen, packed.client, packed.cli, "@opentelemetry/api@1"]);
  await compileExamples(outside);
  await runExamples(outside, node, [0, 1, 2, 3]);
  await buildViteApp(outside);
  await using server = await startServer({ webRoot: join(outside.path, "app/dist") });
  await using browser = await launchChromium();
  await using page = await browser.newPage();
  await page.addInitScript({ content: `sessionStorage.setItem("rollcall.token", "${await server.token()}")` });
  await page.goto(server.url);
  await page.getByText("0 users").waitFor();
});
