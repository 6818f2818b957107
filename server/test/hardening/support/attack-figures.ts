import type { Latency } from "./bystander.ts";
import type { AttackResult } from "./http2-attacks.ts";

/** Cells of a row of docs/attacks.md: a bystander's 99th percentile, memory, and the time when the attack was ended. */
export type Figures = readonly [p99: string, memory: string, ended: string];

export interface Measured extends Latency, AttackResult {
  /** Largest growth of the server's memory, in MiB. */
  readonly peakMiB: number;
}

/** Returns the cells of an attack. The first is a multiple of the bystander's time without the attack. */
export function figuresOf(attacked: Measured, quiet: Latency): Figures {
  const { p99Ms, peakMiB } = attacked;
  return [(p99Ms / quiet.p99Ms).toFixed(1), `${peakMiB} MiB`, endOf(attacked)];
}

function endOf({ firstCutMs, refused, requests }: AttackResult): string {
  if (firstCutMs !== undefined) return time(firstCutMs);
  if (refused === undefined) return "not ended";
  return refused === requests ? "each refused" : `${Math.floor((100 * refused) / requests)} % refused`;
}

function time(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Writes figures into a page's table rows that have them, by the rows' first cells. */
export function writeFigures(page: string, figures: ReadonlyMap<string, Figures>): string {
  return page.replaceAll(/^\| (.+?) \| (.+) \|$/gm, (row, name: string) => {
    const found = figures.get(name);
    const cells = row.split(" | ");
    return found && cells.length === 6 ? [...cells.slice(0, 2), ...found, ...cells.slice(5)].join(" | ") : row;
  });
}
