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
import { programOutputs, scriptOutputs } from "./support/readme-outputs.ts";

const packageDir = join(import.meta.dirname, "..");
const readme = await readFile(join(packageDir, "README.md"), "utf8");

const examples = (info: string) => examplesIn(readme, info);

/** Runs a program in a folder, without input. Resolves with its standard output if it succeeds. */
async function outputOf(program: string, args: string[], cwd: string, env: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, { cwd, env: { ...childEnv, ...env }, input: "" });
  expect(code, stderr).toBe(0);
  return stdout;
}

test.each(
  examples("ts").map((code, index) => ({ number: index + 1, code, expected: programOutputs[index] ?? /never/ })),
)("program $number of the README", async ({ code, expected }) => {
  await using folder = await startExample();
  await using server = await startServer();
  await writeFile(join(folder.path, "example.ts"), code.replaceAll("http://localhost:8080", server.url));
  const env = { TOKEN: await server.token() };
  expect(await outputOf(process.execPath, ["example.ts"], folder.path, env)).toMatch(expected);
});

test.each(
  examples("sh").map((code, index) => ({ number: index + 1, code, expected: scriptOutputs[index] ?? /never/ })),
)("script $number of the README", async ({ code, expected }) => {
  await using folder = await startExample();
  await using server = await startServer();
  const command = `rollcall() { "${process.execPath}" "${rollcallMain}" "$@"; }`;
  const env = { TOKEN: await server.token(), ROLLCALL_ADDRESS: server.url };
  expect(await outputOf("sh", ["-ec", `${command}\n${code}`], folder.path, env)).toMatch(expected);
});

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
  expect(examples("ts")).toHaveLength(programOutputs.length);
  expect(examples("sh")).toHaveLength(scriptOutputs.length);
  expect(readme.match(/^```\w/gm)).toHaveLength(programOutputs.length + scriptOutputs.length + 3);
});
