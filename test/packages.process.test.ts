import { readdirSync, readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { startPackageRegistry } from "@rollcall/testing/package-registry";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { root } from "@rollcall/testing/root";
import { startProcess } from "@rollcall/testing/start-process";
import { publint } from "publint";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packPackages } from "../scripts/pack.ts";
import {
  buildViteApp,
  compileExamples,
  compileWithoutSkips,
  createOutsideFolder,
  installPacked,
  type PackageName,
  packedIn,
  runExamples,
} from "./support/outside-folder.ts";

const folder = await mkdtempDisposable(join(tmpdir(), "rollcall-packed-"));
const packed = packedIn(folder.path);
beforeAll(() => packPackages(folder.path));
afterAll(() => folder.remove());

test("publint and arethetypeswrong find nothing in the packages", async () => {
  for (const [name, file] of Object.entries(packed)) {
    const bytes = readFileSync(file);
    const { messages } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true });
    expect(messages, name).toEqual([]);
    const entrypoints =
      name === "gen"
        ? [
            ...["user/v1/user", "stream/v1/stream", "google/rpc/error_details", "grpc/health/v1/health"],
            ...["rollcall/options/v1/auth", "rollcall/errors/v1/error_reason"],
          ]
        : undefined;
    const result = await checkPackage(createPackageFromTarballData(bytes), entrypoints && { entrypoints });
    const problems = result.types === false ? [{ kind: "NoTypes", resolutionKind: undefined }] : result.problems;
    // The packages are ES modules, like most of their dependencies. CommonJS loads them with import().
    const isOfCommonJs = (problem: object) =>
      "resolutionKind" in problem && ["node10", "node16-cjs"].includes(String(problem.resolutionKind));
    expect(
      problems.filter((problem) => !isOfCommonJs(problem)),
      name,
    ).toEqual([]);
  }
});

test("client and command have nothing of the server in them", () => {
  const filesOf = (name: PackageName) => createPackageFromTarballData(readFileSync(packed[name])).listFiles("/");
  for (const name of ["gen", "client", "cli"] as const) {
    expect(
      filesOf(name).filter((path) => /\/(?:server|web)\//.test(path)),
      name,
    ).toEqual([]);
  }
  // The control: the list has the files of a package, including those of packages that are bundled into it.
  expect(filesOf("cli").some((path) => path.endsWith("/dist/shared/settings/mint-token.js"))).toBe(true);
  expect(filesOf("server").some((path) => /\/web\//.test(path))).toBe(true);
});

test("installed by npm elsewhere, they run the README's examples", async () => {
  await using registry = await startPackageRegistry();
  using outside = createOutsideFolder();
  await installPacked(outside, Object.values(packed), registry.url);
  await compileExamples(outside);
  // packages.torture.ts runs all scripts, on Node.js 22 too.
  await runExamples(outside, process.execPath, [1, 3]);
  await buildViteApp(outside);
  expect(readdirSync(join(outside.path, "app/dist/assets")).join()).toMatch(/\.js$/);

  await compileWithoutSkips(outside);
  // The control: the database driver is installed without types.
  await expect(compileWithoutSkips(outside, ["pg"])).rejects.toThrow("TS7016");

  const lock: Lock = JSON.parse(readFileSync(join(outside.path, "package-lock.json"), "utf8"));
  const ofCommand = withDependencies(lock, "@rollcall/cli");
  expect(ofCommand).toContain("@rollcall/client");
  expect(ofCommand).not.toContain("@rollcall/server");
  expect(ofCommand).not.toContain("fastify");
  expect(withDependencies(lock, "@rollcall/server")).toContain("fastify");

  await expect(outside.run(process.execPath, asVersion("22.20.0", "rollcall-server"))).rejects.toThrow(
    "Node.js 22.21, 24.9 or newer is needed; this is 22.20.0.",
  );
  await expect(outside.run(process.execPath, asVersion("20.20.2", "rollcall", "--help"))).rejects.toThrow(
    "Node.js 22.13 or newer is needed; this is 20.20.2.",
  );
  // The control: the version alone decides.
  expect(await outside.run(process.execPath, asVersion("22.13.0", "rollcall", "--help"))).toContain("Usage: rollcall");
  const program = join(outside.path, "node_modules/.bin/rollcall-server");
  await using server = await startProcess({ program });
  expect(await (await fetch(server.url)).text()).toContain("<title>");
  expect(await (await fetch(`${server.url}/docs`)).text()).toContain("<h3>GetUser</h3>");
  const [testing = ""] = examplesIn(readFileSync(join(root, "docs/packages.md"), "utf8"), "ts testing");
  outside.write("testing.mts", testing);
  expect(await outside.run(process.execPath, ["testing.mts"])).toBe("2031\ntoken has expired\n");
});

/** Returns arguments that run an installed program with this Node.js, which reports another version. */
function asVersion(version: string, program: string, ...args: string[]): string[] {
  const change = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  return ["--import", `data:text/javascript,${encodeURIComponent(change)}`, `node_modules/.bin/${program}`, ...args];
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dependencies?: Readonly<Record<string, string>> }>>;
}

/** Returns the names of a package and of all that it depends on. */
function withDependencies({ packages }: Lock, name: string): string[] {
  const names = new Set([name]);
  for (const each of names) {
    for (const other of Object.keys(packages[`node_modules/${each}`]?.dependencies ?? {})) names.add(other);
  }
  return [...names];
}
