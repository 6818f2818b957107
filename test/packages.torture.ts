/** Tests the packages as users install them, on Node.js 22 and 26. Dependencies need a network: npm's own registry. */
import { readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { launchChromium } from "@rollcall/testing/chromium";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { root } from "@rollcall/testing/root";
import { type ServerProcess, startProcess } from "@rollcall/testing/start-process";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { packPackages } from "../scripts/pack.ts";
import {
  buildViteApp,
  compileExamples,
  createOutsideFolder,
  installPacked,
  type OutsideFolder,
  packedIn,
  runExamples,
} from "./support/outside-folder.ts";

const folder = await mkdtempDisposable(join(tmpdir(), "rollcall-packed-"));
await packPackages(folder.path);
const packed = packedIn(folder.path);

/** A program that calls a server at an IPv6 address over TLS, by both versions of HTTP. */
const callsOverTls = `
import { readFileSync } from "node:fs";
import { createRollcall } from "@rollcall/client/node";
import { createTestServer } from "@rollcall/server/testing";

const tls = { cert: readFileSync("cert.pem"), key: readFileSync("key.pem") };
await using server = await createTestServer({ host: "::1", tls });
const options = { baseUrl: server.url, token: await server.token(), tls: { ca: "ca.pem" } };
for (const httpVersion of ["2", "1.1"] as const) {
  await using client = createRollcall({ ...options, protocol: "connect", httpVersion });
  console.log((await client.users.list()).users.length);
}
`;

/** Installs the newest Node.js of a major version. Returns its path. */
async function installNode(folder: OutsideFolder, version: string): Promise<string> {
  folder.write("package.json", "{}");
  await folder.run("npm", ["install", `node@${version}`], process.env);
  const node = join(folder.path, "node_modules/node/bin/node");
  expect(await folder.run(node, ["--version"])).toMatch(`v${version}.`);
  return node;
}

test.for(["22", "26"])("with Node.js %s, client and command run all examples of the README", async (version) => {
  using nodes = createOutsideFolder();
  const node = await installNode(nodes, version);
  using outside = createOutsideFolder();
  // A program that traces with OpenTelemetry has already installed its API.
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

test.for(["22", "26"])("with Node.js %s, the server serves, and starts within a test", async (version) => {
  using nodes = createOutsideFolder();
  const node = await installNode(nodes, version);
  using outside = createOutsideFolder();
  await installPacked(outside, Object.values(packed));
  const [testing = ""] = examplesIn(readFileSync(join(root, "docs/packages.md"), "utf8"), "ts testing");
  outside.write("src/testing.ts", testing);
  const authority = await createCertificateAuthority("Test CA");
  const { cert, key } = await authority.issue({ commonName: "server", hosts: ["::1"] });
  for (const [name, text] of Object.entries({ ca: authority.cert, cert, key })) outside.write(`${name}.pem`, text);
  outside.write("src/tls.ts", callsOverTls);
  await compileExamples(outside);
  expect(await outside.run(node, ["out/testing.js"])).toBe("2031\ntoken has expired\n");

  expect(await outside.run(node, ["out/tls.js"])).toBe("0\n0\n");

  const program = join(outside.path, "node_modules/.bin/rollcall-server");
  const start = () => startProcess({ program, node, folder: outside.path });
  const call = async ({ url, headers }: ServerProcess, method: string, body: object) => {
    const json = { ...headers, "content-type": "application/json" };
    const answer = await fetch(`${url}/user.v1.UserService/${method}`, {
      ...{ method: "POST", headers: json, body: JSON.stringify(body) },
    });
    return (await answer.json()) as { user: { id: string } };
  };
  const { user } = await (async () => {
    await using server = await start();
    expect(await (await fetch(server.url)).text()).toContain("<title>");
    return await call(server, "CreateUser", { email: "ada@example.com", name: "Ada" });
  })();
  // The first server was killed as its answer arrived.
  await using server = await start();
  expect(await call(server, "GetUser", { id: user.id })).toEqual({ user });
  const doctor = await outside.run(node, [program, "doctor"], { PORT: "0", DATABASE_URL: "sqlite::memory:" });
  expect(doctor).toContain(`ok    Node.js ${version}.`);
});
