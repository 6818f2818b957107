import cliProgress from "cli-progress";
import type { Output } from "./io.ts";

/** How often the bar is drawn. */
const REDRAWS_PER_SECOND = 10;

export interface Progress extends Disposable {
  /** @param done In the unit of the total. */
  update(done: number): void;
  /** Writes a line above the bar. */
  note(line: string): void;
}

/** A bar with rate and remaining time on a terminal; silent elsewhere. Its unit is bytes. */
export function startProgress(output: Output, totalBytes: number): Progress {
  const write = (line: string) => output.write(`${line}\n`);
  if (!output.isTTY) return { update() {}, note: write, [Symbol.dispose]() {} };
  const startedAtMs = performance.now();
  const bar = new cliProgress.SingleBar({
    stream: output,
    fps: REDRAWS_PER_SECOND,
    hideCursor: true,
    // The command itself ends on Ctrl-C.
    gracefulExit: false,
    format: "{bar} {percentage}%  {size}  {rate}/s  {remaining} left",
    barCompleteChar: "█",
    barIncompleteChar: "░",
  });
  const payload = (done: number) => {
    const bytesPerSecond = done / Math.max(0.001, (performance.now() - startedAtMs) / 1_000);
    const remaining = done === 0 ? "?" : durationText((totalBytes - done) / bytesPerSecond);
    return { size: `${bytesText(done)} of ${bytesText(totalBytes)}`, rate: bytesText(bytesPerSecond), remaining };
  };
  bar.start(Math.max(1, totalBytes), 0, payload(0));
  return {
    update: (done) => bar.update(done, payload(done)),
    note(line) {
      output.write("\r\u001b[K");
      write(line);
    },
    [Symbol.dispose]: () => bar.stop(),
  };
}

/** As `1.5 MiB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** As `5s`, `3m 05s` or `2h 07m`. */
export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}m ${two(whole % 60)}s` : `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
}
