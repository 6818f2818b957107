/**
 * The part of `pnpm check` for the contract. The contract must be formatted, linted and compatible with main's, and
 * must generate the committed code.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const temporary = mkdtempSync(join(tmpdir(), "rollcall-proto-"));

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { cwd: root, stdio: "inherit" });
}

/** Folders with a contract, each with the place of its generated code. */
const GENERATED = [
  { folder: ".", code: "gen/src" },
  { folder: "examples/extend", code: "gen" },
];

function git(...args: string[]): string | undefined {
  try {
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

/**
 * Returns the revision that the contract is compared with: where this branch left main or, on main itself, the commit
 * before the newest.
 */
function baseRevision(): string | undefined {
  const head = git("rev-parse", "HEAD");
  const main =
    git("rev-parse", "--verify", "--quiet", "origin/main") ?? git("rev-parse", "--verify", "--quiet", "main");
  if (!head || !main) return undefined;
  const fork = git("merge-base", head, main);
  return fork === head && !git("status", "--porcelain", "--", "proto") ? git("rev-parse", "HEAD^") : fork;
}

/**
 * Checks for breaking changes. An earlier contract is read with today's modules and with buf/validate, which the first
 * commits did not have.
 */
function checkBreaking(): void {
  const base = baseRevision();
  if (!base) {
    console.log("buf breaking: there is no earlier contract to compare with");
    return;
  }
  const against = join(temporary, "against");
  execFileSync("sh", ["-c", `mkdir -p "$1" && git archive "$2" -- proto | tar -x -C "$1"`, "sh", against, base], {
    cwd: root,
  });
  for (const path of ["buf.yaml", "proto/buf"]) cpSync(join(root, path), join(against, path), { recursive: true });
  run("buf", "breaking", "--against", against);
}

function checkGenerated({ folder, code }: (typeof GENERATED)[number]): void {
  const out = join(temporary, "generated", folder);
  execFileSync("buf", ["generate", "--output", out], { cwd: join(root, folder), stdio: "inherit" });
  run("git", "--no-pager", "diff", "--no-index", "--stat", "--exit-code", join(folder, code), join(out, code));
}

try {
  for (const path of ["user", "stream", "google", "rollcall"])
    run("buf", "format", "--diff", "--exit-code", "--path", `proto/${path}`);
  run("buf", "lint");
  checkBreaking();
  for (const generated of GENERATED) checkGenerated(generated);
} catch (error) {
  // The faults have already been printed. "pnpm generate" updates generated code.
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
