import { formatBytes } from "./format-bytes.ts";

/** Time between two drawings of the bar, in milliseconds. */
const REDRAW_MS = 100;
const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;

/** A stream that may be a terminal. */
export type ProgressOutput = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Reads the size of the terminal. `columns` follows it only when the signal about it has been handled. */
  _refreshSize?(): void;
};

export interface Progress extends Disposable {
  /**
   * @param done Amount done, in the unit of the total.
   * @param total Replaces the total, when it becomes known or was wrong.
   * @param isEstimate Whether the total is an estimate, and is shown as such.
   */
  update(done: number, total?: number, isEstimate?: boolean): void;
  /** Takes what an earlier run has done as done. It does not count in the rate. */
  resume(done: number): void;
  /** Writes a line above the bar. */
  note(line: string): void;
}

/** Unit that a bar counts in. */
export interface ProgressUnit {
  /** Formats an amount, such as `1.5 MiB`. */
  amount(count: number): string;
  /** Formats an amount and the total in words, such as `1.5 MiB of 3.0 MiB`. */
  amountOf(count: number, total: string): string;
}

export const BYTES: ProgressUnit = {
  amount: bytesText,
  amountOf: (count, total) => `${bytesText(count)} of ${total}`,
};

export const USERS = countOf("users");
export const ROWS = countOf("rows");

/**
 * Shows a bar with rate and remaining time on a terminal; elsewhere only the notes. The bar takes one row, however
 * narrow the terminal is, with the cursor at its end. If the terminal becomes narrower, the cursor's position shows how
 * many rows the bar then takes.
 *
 * @param firstTotal In the unit; undefined if it is not known yet.
 */
export function startProgress(
  output: ProgressOutput,
  firstTotal: number | undefined,
  unit: ProgressUnit = BYTES,
): Progress {
  if (!output.isTTY) {
    return { update() {}, resume() {}, note: (line) => output.write(`${line}\n`), [Symbol.dispose]() {} };
  }
  const startedAtMs = performance.now();
  let done = 0;
  let resumedFrom = 0;
  let total = firstTotal;
  let isEstimated = false;
  let drawnAtMs = 0;
  let drawn = "";
  let notes = "";
  let scheduled: NodeJS.Immediate | undefined;
  const draw = () => {
    clearImmediate(scheduled);
    scheduled = undefined;
    drawnAtMs = performance.now();
    output._refreshSize?.();
    const columns = output.columns || DEFAULT_COLUMNS;
    const clear = clearText(Math.ceil(drawn.length / columns));
    const perSecond = (done - resumedFrom) / Math.max(0.001, (drawnAtMs - startedAtMs) / 1_000);
    drawn = barText({ done, total, isEstimated, perSecond, unit, columns });
    output.write(`${clear}${notes}${drawn}`);
    notes = "";
  };
  // Draw once for all notes of a turn of the event loop.
  const schedule = () => {
    scheduled ??= setImmediate(draw);
  };
  draw();
  // Redraw a bar that stands still too, so that its rate falls, and a resized terminal is filled.
  const timer = setInterval(schedule, 1_000).unref();
  return {
    update(count, newTotal = total, isEstimate = false) {
      done = count;
      total = newTotal;
      isEstimated = isEstimate;
      if (performance.now() - drawnAtMs >= REDRAW_MS) schedule();
    },
    resume(count) {
      done = count;
      resumedFrom = count;
      schedule();
    },
    note(line) {
      notes += `${line}\n`;
      schedule();
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      draw();
      output.write("\n");
    },
  };
}

/** Clears a bar of this many rows, with the cursor in the last of them. */
function clearText(rows: number): string {
  return `${rows > 1 ? `\u001b[${rows - 1}A` : ""}\r\u001b[J`;
}

interface BarState {
  readonly done: number;
  readonly total: number | undefined;
  readonly isEstimated: boolean;
  readonly perSecond: number;
  readonly unit: ProgressUnit;
  readonly columns: number;
}

/**
 * Returns the most useful parts of the bar that fit into a row. The last column stays free, since a full row may wrap.
 */
function barText({ done, total, isEstimated, perSecond, unit, columns }: BarState): string {
  const width = Math.max(1, columns - 1);
  const rate = `${unit.amount(perSecond)}/s`;
  if (total === undefined) return fitting([[unit.amount(done), rate], [unit.amount(done)]], width);
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.floor(part * BAR_WIDTH);
  const blocks = "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
  const percentage = `${Math.floor(part * 100)}%`;
  const amount = unit.amountOf(done, `${isEstimated ? "about " : ""}${unit.amount(total)}`);
  const left = `${perSecond === 0 ? "?" : durationText(Math.max(0, total - done) / perSecond)} left`;
  return fitting(
    [
      [`${blocks} ${percentage}`, amount, rate, left],
      [percentage, amount, rate, left],
      [percentage, amount, left],
      [percentage, amount],
      [percentage],
    ],
    width,
  );
}

function countOf(things: string): ProgressUnit {
  const amount = (count: number) => Math.round(count).toLocaleString("en");
  return { amount, amountOf: (count, total) => `${amount(count)} of ${total} ${things}` };
}

function fitting(candidates: readonly (readonly string[])[], width: number): string {
  const texts = candidates.map((parts) => parts.join("  "));
  return (texts.find((text) => text.length <= width) ?? texts.at(-1) ?? "").slice(0, width);
}

/** Formats bytes, such as `1.5 MiB`, alike in every locale, like all output of commands. */
export function bytesText(bytes: number): string {
  return formatBytes(bytes, "en");
}

/** Formats a duration, such as `5s`, `3m 05s` or `2h 07m`. */
export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}m ${two(whole % 60)}s` : `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
}
