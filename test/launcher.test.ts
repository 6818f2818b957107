import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, test } from "vitest";
import packageJson from "../package.json" with { type: "json" };

const launcher = join(import.meta.dirname, "../scripts/release/launcher.cjs");
const [neededMajor = ""] = packageJson.devDependencies.node.split(".");

test("pnpm checks what packages need against the Node.js that everything runs on", async () => {
  const workspace = await readFile(join(import.meta.dirname, "../pnpm-workspace.yaml"), "utf8");
  expect(workspace).toContain(`\nnodeVersion: ${packageJson.devDependencies.node}\n`);
});

/** Runs a program to its end. */
function run(file: string, args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(file, args, (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }));
  });
}

/** Creates the bundle as it is deployed, with a server in it that reports that it was loaded. */
async function bundle(source = "import 'node:sqlite'; console.log('loaded');") {
  const folder = await mkdtempDisposable(join(tmpdir(), "rollcall-bundle-"));
  const main = join(folder.path, "rollcall-server");
  await copyFile(launcher, main);
  await writeFile(join(folder.path, "package.json"), "{}");
  await mkdir(join(folder.path, "server/dist"), { recursive: true });
  await writeFile(join(folder.path, "server/dist/server.mjs"), source);
  return { main, [Symbol.asyncDispose]: () => folder.remove() };
}

/** Finds a Node.js that is older than the one `npx node` and `pnpm` find first, if this machine has one. */
async function findOlderNode(): Promise<string | undefined> {
  for (const folder of ["/usr/bin", "/usr/local/bin", ...(process.env.PATH ?? "").split(delimiter)]) {
    const { code, stdout } = await run(join(folder, "node"), ["--version"]);
    if (code === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) < Number(neededMajor)) return join(folder, "node");
  }
  return undefined;
}

const olderNode = await findOlderNode();

test("the bundle loads its server on the Node.js that it needs", async () => {
  await using built = await bundle();
  expect(await run(process.execPath, [built.main])).toEqual({ code: 0, stdout: "loaded\n", stderr: "" });
});

test("on an older Node.js the bundle says which one it needs, and loads nothing", async () => {
  await using built = await bundle();
  // The same Node.js, but it reports an older version.
  const versions = "{ ...process.versions, node: '20.20.2' }";
  const older = `Object.defineProperty(process, 'versions', { value: ${versions} })`;
  const args = ["--import", `data:text/javascript,${encodeURIComponent(older)}`, built.main];
  expect(await run(process.execPath, args)).toEqual({
    code: 2,
    stdout: "",
    stderr: `Node.js ${neededMajor} or newer is needed; this is 20.20.2.\n`,
  });
});

test.skipIf(!olderNode)("so does a real older Node.js, where this machine has one", async () => {
  // An older Node.js can't parse this bundle either.
  await using built = await bundle("await using x = nothing; import 'node:sqlite';");
  const { code, stdout, stderr } = await run(String(olderNode), [built.main]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(new RegExp(`^Node\\.js ${neededMajor} or newer is needed; this is \\d+\\.\\d+\\.\\d+\\.\\n$`));
});

test("what checks Node.js imports nothing before it has", async () => {
  // A static import is loaded before anything runs.
  expect(await readFile(launcher, "utf8")).not.toMatch(/^\s*(import|export)\b(?!\()/m);
});
