import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { childEnv } from "@rollcall/testing/child-env";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { run } from "@rollcall/testing/run-program";
import { rollcallMain } from "@rollcall/testing/run-rollcall";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { startExample } from "./support/example-folder.ts";

const packageDir = join(import.meta.dirname, "..");
const readme = await readFile(join(packageDir, "README.md"), "utf8");

const examples = (info: string) => examplesIn(readme, info);

/** Runs a program in a folder, with nothing to read; its standard output, if it succeeds. */
async function outputOf(program: string, args: string[], cwd: string, env: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, { cwd, env: { ...childEnv, ...env }, input: "" });
  expect(code, stderr).toBe(0);
  return stdout;
}

const programs = [
  /^Emmy Noether\n$/,
  /^email: .+\nname: .+\n$/,
  /^Result 0 .*\nResult 1 .*\nResult 2 .*\n(\d+ of \d+\n)+64\nEcho: Hello\nEcho: Goodbye\n$/,
  /^0\n$/,
  /UserService\/ListUsers.*\n0\n$/s,
  /^0\n$/,
];
test.each(examples("ts").map((code, index) => ({ number: index + 1, code, expected: programs[index] ?? /never/ })))(
  "program $number of the README",
  async ({ code, expected }) => {
    await using folder = await startExample();
    await using server = await startServer();
    await writeFile(join(folder.path, "example.ts"), code.replaceAll("http://localhost:8080", server.url));
    const env = { TOKEN: await server.token() };
    expect(await outputOf(process.execPath, ["example.ts"], folder.path, env)).toMatch(expected);
  },
);

const scripts = [
  /^[\da-f-]{36}\tedsger@example.com\tEdsger Dijkstra\t.*\n(.*\n){2}(Result .*\n){10}[\da-f]{64} .*\nEcho: Hello\nEcho: Goodbye\n$/,
  /^2 users created, 0 skipped, 0 failed\.\n2 users exported\.\n$/,
  /^[\w-]+\.[\w-]+\.[\w-]+\n$/,
];
test.each(examples("sh").map((code, index) => ({ number: index + 1, code, expected: scripts[index] ?? /never/ })))(
  "script $number of the README",
  async ({ code, expected }) => {
    await using folder = await startExample();
    await using server = await startServer();
    const command = `rollcall() { "${process.execPath}" "${rollcallMain}" "$@"; }`;
    const env = { TOKEN: await server.token(), ROLLCALL_ADDRESS: server.url };
    expect(await outputOf("sh", ["-ec", `${command}\n${code}`], folder.path, env)).toMatch(expected);
  },
);

test("the README's program with TLS", async () => {
  const authority = await createCertificateAuthority("Test CA");
  const credentials = await authority.issue({ commonName: "server", hosts: ["localhost"] });
  await using server = await startServer({ tls: { ...credentials, clientCa: authority.cert } });
  await using folder = await startExample();
  await mkdir(join(folder.path, ".cert"));
  const client = await authority.issue({ commonName: "client" });
  const files = { "ca.pem": authority.cert, "client.pem": client.cert, "client-key.pem": client.key };
  for (const [name, pem] of Object.entries(files)) await writeFile(join(folder.path, ".cert", name), pem);
  const [code = ""] = examples("ts tls");
  await writeFile(join(folder.path, "example.ts"), code.replace("https://localhost:8443", server.url));
  const env = { TOKEN: await server.token() };
  expect(await outputOf(process.execPath, ["example.ts"], folder.path, env)).toBe("0\n");
});

test("no example of the README is left out", () => {
  expect(examples("ts")).toHaveLength(programs.length);
  expect(examples("sh")).toHaveLength(scripts.length);
  expect(readme.match(/^```\w/gm)).toHaveLength(programs.length + scripts.length + 2);
});
