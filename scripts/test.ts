/**
 * `pnpm test`: the checks, and the tests at the same time, which often wait. Arguments go to Vitest. Prints the checks'
 * output when the tests have ended, and fails if either fails.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const root = join(import.meta.dirname, "..");

async function exitOf(child: ReturnType<typeof spawn>): Promise<number> {
  const [code] = await once(child, "close");
  return code ?? 1;
}

// The program that runs this script, so that nothing has to be installed.
const pnpm = process.env.npm_execpath ?? "pnpm";
const [program, first] = /\.[cm]?js$/.test(pnpm) ? [process.execPath, [pnpm]] : [pnpm, []];
const checks = spawn(program, [...first, "run", "check"], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
const outputs = [checks.stdout, checks.stderr].map((output) => text(output));
const checked = exitOf(checks);
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const tests = spawn(process.execPath, [vitest, "run", ...process.argv.slice(2)], { cwd: root, stdio: "inherit" });
const codes = [await exitOf(tests), await checked];
for (const output of outputs) process.stdout.write(await output);
process.exitCode = codes.find((code) => code !== 0) ?? 0;
console.log(`tests: ${codes[0] === 0 ? "passed" : "failed"}, checks: ${codes[1] === 0 ? "passed" : "failed"}`);
