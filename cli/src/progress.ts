import { formatBytes } from "@rollcall/shared/format-bytes";
import type { Output } from "./io.ts";

/** Between two drawings of the bar, in milliseconds. */
const REDRAW_MS = 100;
const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;
export interface Progress extends Disposable {
  /** @param done In the unit of the total. */
  update(done: number): void;
  /** Writes a line above the bar. */
  note(line: string): void;
}

/** The unit that a bar counts in. */
export interface ProgressUnit {
  /** As `1.5 MiB`. */
  amount(count: number): string;
  /** As `1.5 MiB of 3.0 MiB`. */
  amountOf(count: number, total: number): string;
}

export const BYTES: ProgressUnit = {
  amount: bytesText,
  amountOf: (count, total) => `${bytesText(count)} of ${bytesText(total)}`,
};

/**
 * A bar with rate and remaining time on a terminal; elsewhere the notes alone. It takes
 * one row, however narrow the terminal is. The cursor stays at its end, so that after the
 * terminal became narrower it is known in how many rows the terminal has broken the bar.
 *
 * @param total In the unit; undefined where it is not known.
 */
export function startProgress(output: Output, total: number | undefined, unit: ProgressUnit = BYTES): Progress {
  if (!output.isTTY) {
    return { update() {}, note: (line) => output.write(`${line}\n`), [Symbol.dispose]() {} };
  }
  const startedAtMs = performance.now();
  let done = 0;
  let drawnAtMs = 0;
  let drawn = "";
  let notes = "";
  let scheduled: NodeJS.Immediate | undefined;
  const draw = () => {
    clearImmediate(scheduled);
    scheduled = undefined;
    drawnAtMs = performance.now();
    const columns = output.columns || DEFAULT_COLUMNS;
    const clear = clearText(Math.ceil(drawn.length / columns));
    const perSecond = done / Math.max(0.001, (drawnAtMs - startedAtMs) / 1_000);
    drawn = barText({ done, total, perSecond, unit, columns });
    output.write(`${clear}${notes}${drawn}`);
    notes = "";
  };
  // Not at once: where the terminal was resized, this turn of the event loop reports it.
  const schedule = () => {
    scheduled ??= setImmediate(draw);
  };
  draw();
  // A bar that stands still shows that its rate falls, and fills a terminal that was resized.
  const timer = setInterval(schedule, 1_000).unref();
  return {
    update(count) {
      done = count;
      if (performance.now() - drawnAtMs >= REDRAW_MS) schedule();
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

/** Clears a bar of so many rows, with the cursor in the last of them. */
function clearText(rows: number): string {
  return `${rows > 1 ? `\u001b[${rows - 1}A` : ""}\r\u001b[J`;
}

interface BarState {
  readonly done: number;
  readonly total: number | undefined;
  readonly perSecond: number;
  readonly unit: ProgressUnit;
  readonly columns: number;
}

/** The most telling parts of the bar that fit into a row: its last column stays free, as a full row may wrap. */
function barText({ done, total, perSecond, unit, columns }: BarState): string {
  const width = Math.max(1, columns - 1);
  const rate = `${unit.amount(perSecond)}/s`;
  if (total === undefined) return fitting([[unit.amount(done), rate], [unit.amount(done)]], width);
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.floor(part * BAR_WIDTH);
  const blocks = "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
  const percentage = `${Math.floor(part * 100)}%`;
  const amount = unit.amountOf(done, total);
  const left = `${done === 0 ? "?" : durationText(Math.max(0, total - done) / perSecond)} left`;
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

function fitting(candidates: readonly (readonly string[])[], width: number): string {
  const texts = candidates.map((parts) => parts.join("  "));
  return (texts.find((text) => text.length <= width) ?? texts.at(-1) ?? "").slice(0, width);
}

/** Formats as `1.5 MiB`, alike in every locale, as all of the command's output is. */
export function bytesText(bytes: number): string {
  return formatBytes(bytes, "en");
}

/** As `5s`, `3m 05s` or `2h 07m`. */
export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}m ${two(whole % 60)}s` : `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
}
