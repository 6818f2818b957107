import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { childEnv } from "@rollcall/testing/child-env";
import { examplesIn } from "@rollcall/testing/readme-examples";
import { root } from "@rollcall/testing/root";
import { type ProgramResult, run } from "@rollcall/testing/run-program";
import { startServer } from "@rollcall/testing/start-server";
import { expect } from "vitest";
import { programOutputs, scriptOutputs } from "../../client/test/support/readme-outputs.ts";
import type { packageNames } from "../../scripts/build-packages.ts";

export type PackageName = (typeof packageNames)[number];

/** Returns the files of packed packages in a folder. */
export function packedIn(folder: string): Record<PackageName, string> {
  const fileOf = (name: PackageName) => join(folder, `rollcall-${name}-0.1.0.tgz`);
  return { gen: fileOf("gen"), client: fileOf("client"), server: fileOf("server"), cli: fileOf("cli") };
}

export interface OutsideFolder extends Disposable {
  readonly path: string;
  write(name: string, text: string): void;
  /** Runs a program to its end there, with commands of the installed packages. @throws Error if it fails. */
  run(program: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<string>;
}

/** Creates a folder outside the repository. Compiler and bundler are those of the repository. */
export function createOutsideFolder(): OutsideFolder {
  const path = mkdtempSync(join(tmpdir(), "rollcall-outside-"));
  return {
    path,
    write: (name, text) => {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), text);
    },
    async run(program, args, env = {}) {
      const programs = [join(path, "node_modules/.bin"), childEnv.PATH].join(delimiter);
      const result: ProgramResult = await run(program, args, {
        cwd: path,
        env: { ...childEnv, HOME: path, ...env, PATH: env.PATH ? `${env.PATH}${delimiter}${programs}` : programs },
        input: "",
      });
      if (result.code !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stdout}${result.stderr}`);
      return result.stdout;
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  };
}

/** Installs packed files with npm. @param registry Default: npm's own. */
export async function installPacked(folder: OutsideFolder, files: readonly string[], registry?: string): Promise<void> {
  folder.write("package.json", '{ "name": "outside", "private": true, "type": "module" }\n');
  const from = registry === undefined ? [] : ["--registry", registry, "--cache", join(folder.path, ".npm")];
  // For npm's own registry, the machine's settings apply.
  const env = registry === undefined ? process.env : {};
  const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier"];
  await folder.run("npm", ["install", ...from, ...quiet, ...files], env);
  for (const name of ["typescript", "vite", "@types/node"]) {
    mkdirSync(dirname(join(folder.path, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(folder.path, "node_modules", name));
  }
}

const examples = (info: string, page = "client/README.md") => examplesIn(readFileSync(join(root, page), "utf8"), info);

/** Writes the programs of both READMEs and compiles them with types, as a separate project would. */
export async function compileExamples(folder: OutsideFolder): Promise<void> {
  const programs = [...examples("ts"), ...examples("ts examples/node/main.ts", "README.md")];
  for (const [index, code] of programs.entries()) {
    folder.write(
      `src/example-${index}.ts`,
      code.replaceAll('"http://localhost:8080"', "process.env.ROLLCALL_ADDRESS!"),
    );
  }
  folder.write("notes.txt", "Ada was here.\n");
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    // Connect's declarations refer to browser types.
    skipLibCheck: true,
    outDir: "out",
    rootDir: "src",
  };
  folder.write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["src"] }));
  await folder.run(process.execPath, [join(root, "node_modules/typescript/bin/tsc")]);
}

/**
 * Compiles a program that imports client, command and server, and checks their declarations too, as TypeScript does
 * without `skipLibCheck`. They may thus name only types that are installed with them.
 *
 * @param more Further modules to import.
 */
export async function compileWithoutSkips(folder: OutsideFolder, more: readonly string[] = []): Promise<void> {
  const entries = ["client", "client/node", "cli/run", "server", "server/testing"];
  const modules = [...entries.map((entry) => `@rollcall/${entry}`), ...more];
  const exported = modules.map((name, index) => `export * as module${index} from "${name}";\n`);
  folder.write("strict/main.ts", exported.join(""));
  const compilerOptions = {
    target: "es2023",
    module: "nodenext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
  };
  folder.write("strict/tsconfig.json", JSON.stringify({ compilerOptions, include: ["."] }));
  await folder.run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "strict"]);
}

/** Runs the README's programs, compiled before, and its scripts, each with a server of its own. */
export async function runExamples(folder: OutsideFolder, node: string, scripts: readonly number[]): Promise<void> {
  const runs = [
    ...[...programOutputs, /^created /].map((output, index) => ({
      program: node,
      args: [`out/example-${index}.js`],
      output,
    })),
    ...scripts.map((index) => ({
      program: "sh",
      args: ["-ec", examples("sh")[index] ?? "false"],
      output: scriptOutputs[index] ?? /never/,
    })),
  ];
  for (const { program, args, output } of runs) {
    await using server = await startServer();
    const env = { PATH: dirname(node), TOKEN: await server.token(), ROLLCALL_ADDRESS: server.url };
    expect(await folder.run(program, args, env)).toMatch(output);
    // The next script may make the same files.
    for (const name of ["users.csv", "all.csv"]) rmSync(join(folder.path, name), { force: true });
  }
}

/** Writes an app as `npm create vite` makes it, with the page of the library's README, and builds it. */
export async function buildViteApp(folder: OutsideFolder): Promise<void> {
  const stock = {
    tsBuildInfoFile: "./node_modules/.tmp/tsconfig.app.tsbuildinfo",
    target: "es2023",
    useDefineForClassFields: true,
    lib: ["ES2023", "DOM", "DOM.Iterable"],
    module: "esnext",
    types: ["vite/client"],
    skipLibCheck: true,
    moduleResolution: "bundler",
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: true,
    moduleDetection: "force",
    noEmit: true,
    strict: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    erasableSyntaxOnly: true,
    noFallthroughCasesInSwitch: true,
    noUncheckedSideEffectImports: true,
  };
  const [page = ""] = examples("ts browser");
  folder.write("app/src/main.ts", page);
  folder.write("app/index.html", '<body></body><script type="module" src="/src/main.ts"></script>');
  folder.write("app/tsconfig.app.json", JSON.stringify({ compilerOptions: stock, include: ["src"] }));
  folder.write("app/tsconfig.json", JSON.stringify({ files: [], references: [{ path: "./tsconfig.app.json" }] }));
  await folder.run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "app"]);
  // The packages' declarations must pass by themselves, too.
  const strict = { ...stock, skipLibCheck: false, tsBuildInfoFile: "./node_modules/.tmp/strict.tsbuildinfo" };
  folder.write("app/tsconfig.app.json", JSON.stringify({ compilerOptions: strict, include: ["src"] }));
  await folder.run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "app"]);
  await folder.run(process.execPath, [join(root, "node_modules/vite/bin/vite.js"), "build", "app"]);
}
