import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../src");

interface SourceFile {
  /** From `client/src`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path): SourceFile => {
    const text = readFileSync(join(root, path), "utf8");
    const imports = [...text.matchAll(/(?:from |import |import\()"([^"]+)"/g)].map(([, name = ""]) => {
      return name.startsWith(".") ? relative(root, join(root, path, "..", name)) : name;
    });
    return { path, text, imports };
  });

const importing = (among: (path: string) => boolean, forbidden: RegExp) =>
  files
    .filter(({ path, imports }) => among(path) && imports.some((name) => forbidden.test(name)))
    .map(({ path }) => path);

test("the core knows neither Node nor the Node part; that knows neither the command nor the server", () => {
  const isCore = (path: string) => !path.startsWith("node/");
  const isCommand = (path: string) => path.startsWith("node/cli/");
  expect(files.filter(({ path }) => isCore(path)).length).toBeGreaterThan(10);
  expect(importing(isCore, /^node[:/]|connect-node|@rollcall\/server|commander|cli-/)).toEqual([]);
  const isNodePart = (path: string) => !isCore(path) && !isCommand(path);
  expect(importing(isNodePart, /^node\/cli\/|@rollcall\/server|commander|cli-/)).toEqual([]);
  // The control: the command does.
  expect(importing(isCommand, /@rollcall\/server|commander/)).toContain("node/cli/commands/token.ts");
});

test("the command's main alone uses `process`", () => {
  const users = files.filter(({ text }) => /\bprocess\.(env|exit|exitCode|on|stdin|stdout|stderr|argv)\b/.test(text));
  expect(users.map(({ path }) => path)).toEqual(["node/cli/main.ts"]);
});
