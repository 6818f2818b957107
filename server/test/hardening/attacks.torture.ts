/**
 * Measures each attack of docs/attacks.md beside somebody else's calls. The figures are the 99th percentile of those
 * calls, as a multiple of the one without an attack in the same run; the memory that the attack takes at most; and the
 * time when it is ended. Prints a row for each attack; `ATTACK_FIGURES=write` puts the figures into the page.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "@rollcall/testing/root";
import { afterAll, describe, expect, test } from "vitest";
import { type Figures, figuresOf, type Measured, writeFigures } from "./support/attack-figures.ts";
import { type AttackRow, attackRows } from "./support/attack-rows.ts";
import { startBystander } from "./support/bystander.ts";
import { startMeasuredServer } from "./support/measured-server.ts";

const DURATION_MS = Number(process.env.ATTACK_MS ?? 3_000);
/** Limit on all memory that is held for clients, with room for the rest. */
const MAX_MIB = 320;
const page = join(root, "docs/attacks.md");
const measured = new Map<string, Figures>();

async function measure({ attack, options, users = 100, durationMs = DURATION_MS }: AttackRow): Promise<Measured> {
  // Otherwise the lines of the test's log would be most of the memory.
  await using server = await startMeasuredServer({ dropsLog: true, ...options });
  if (!options?.tls) await server.createUsers(users);
  const before = await server.memoryBytes();
  await server.peakBytes();
  const bystander = await startBystander(server.url, server.headers);
  const result = await attack(server, durationMs);
  const latency = await bystander.stop();
  return { ...latency, ...result, peakMiB: Math.round(((await server.peakBytes()) - before) / 1024 ** 2) };
}

const quietly: AttackRow["attack"] = async () => {
  await new Promise((resolve) => setTimeout(resolve, DURATION_MS));
  return { cut: 0, requests: 0, firstCutMs: undefined };
};

describe.each(Object.entries(attackRows))("%s", (_heading, rows) => {
  test.each(rows)("$name", async (row) => {
    const quiet = await measure({ ...row, attack: quietly });
    const attacked = await measure(row);
    const figures = figuresOf(attacked, quiet);
    measured.set(row.name, figures);
    console.info(`| ${[row.name, ...figures].join(" | ")} |`, JSON.stringify({ quiet, attacked }));
    expect(attacked.failures).toBe(0);
    expect(attacked.peakMiB).toBeLessThan(MAX_MIB);
  });
});

afterAll(() => {
  if (process.env.ATTACK_FIGURES === "write") writeFileSync(page, writeFigures(readFileSync(page, "utf8"), measured));
});
