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
    format: "{bar} {percentage}%  {size}  {rate}/s  {eta_formatted} left",
    barCompleteChar: "█",
    barIncompleteChar: "░",
  });
  const payload = (done: number) => ({
    size: `${bytesText(done)} of ${bytesText(totalBytes)}`,
    rate: bytesText(done / Math.max(0.001, (performance.now() - startedAtMs) / 1_000)),
  });
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
