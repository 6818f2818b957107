import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "@rollcall/testing/root";
import { describe, expect, test } from "vitest";

const read = (path: string) => readFileSync(join(root, path), "utf8");
const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).trim().split("\n");

interface Excerpt {
  readonly file: string;
  readonly code: string;
}

/** Returns the code blocks of a page whose fences name a file, without the indentation of a fence in a list. */
function excerptsIn(page: string): Excerpt[] {
  return [...page.matchAll(/^( *)```\w+ (\S+\/\S+)\n(.*?)^\1```$/gms)].map(([, indent = "", file = "", code = ""]) => ({
    file,
    code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  }));
}

const excerpts = tracked.filter((path) => path.endsWith(".md")).flatMap((page) => excerptsIn(read(page)));

test.each(excerpts)("a document shows lines of $file as they are", ({ file, code }) => {
  expect(read(file)).toContain(code);
});

test("excerpts are found, in lists too", () => {
  expect(excerpts.length).toBeGreaterThanOrEqual(8);
  expect(excerptsIn("1. Text\n\n   ```ts a/b.ts\n   one();\n     two();\n   ```\n")).toEqual([
    { file: "a/b.ts", code: "one();\n  two();\n" },
  ]);
});

test("each folder has a sign", () => {
  const folders = new Set(tracked.flatMap((path) => /^([^./][^/]*)\//.exec(path)?.[1] ?? []));
  expect(folders.size).toBeGreaterThan(10);
  expect([...folders].filter((folder) => !existsSync(join(root, folder, "README.md")))).toEqual([]);
});

test("the example of a host has Rollcall's own option", () => {
  const option = "proto/rollcall/options/v1/auth.proto";
  expect(read(`examples/extend/${option}`)).toBe(read(option));
});

describe("editors", () => {
  test("start programs that there are", () => {
    const { configurations } = JSON.parse(read(".vscode/launch.json"));
    const paths = JSON.stringify(configurations).matchAll(/\$\{workspaceFolder\}\/([^"]+)/g);
    for (const [, path = ""] of paths) expect(existsSync(join(root, path)), path).toBe(true);
  });

  test("are recommended the same in a container", () => {
    const { customizations } = JSON.parse(read(".devcontainer/devcontainer.json"));
    expect(customizations.vscode.extensions).toEqual(JSON.parse(read(".vscode/extensions.json")).recommendations);
  });
});
