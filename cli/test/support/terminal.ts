import { setTimeout as delay } from "node:timers/promises";
import { type IPty, spawn } from "@lydell/node-pty";
import { rollcallMain } from "@rollcall/testing/run-rollcall";
import { until } from "@rollcall/testing/start-server";
import xterm from "@xterm/headless";

/**
 * Number of checks in a row without new output, after which a stopped program has nothing left on its way to the
 * terminal.
 */
const SILENT_LOOKS = 10;
const LOOK_MS = 10;

export interface Terminal extends Disposable {
  /** The process that runs in the terminal. */
  readonly process: IPty;
  /** Returns all rows shown, including those that have scrolled away, without blanks at their ends. */
  rows(): string[];
  /** All rows that were ever on the screen, whenever they were written. */
  readonly history: ReadonlySet<string>;
  /** Resizes the window while the program does not write, as when its corner is dragged. */
  resize(columns: number): Promise<void>;
  /** Resolves with the exit code when the screen shows all output. */
  exited(): Promise<number>;
}

/** Runs the real `rollcall` in a pseudo-terminal, whose screen shows what a person would see. */
export function startTerminal(
  args: readonly string[],
  options: { env: Record<string, string>; columns: number },
): Terminal {
  const { PATH = "" } = process.env;
  const { columns, env } = options;
  const screen = new xterm.Terminal({ cols: columns, rows: 20, scrollback: 5_000, allowProposedApi: true });
  const child = spawn(process.execPath, [rollcallMain, ...args], {
    cols: columns,
    rows: 20,
    name: "xterm-256color",
    env: { PATH, TERM: "xterm-256color", ...env },
  });
  let exitCode: number | undefined;
  let pendingWrites = 0;
  let dataCount = 0;
  const history = new Set<string>();
  const rows = () => {
    const { active } = screen.buffer;
    const lines = Array.from({ length: active.length }, (_, y) => active.getLine(y)?.translateToString(true) ?? "");
    return lines.slice(0, lines.findLastIndex((line) => line !== "") + 1);
  };
  child.onData((data) => {
    pendingWrites += 1;
    dataCount += 1;
    screen.write(data, () => {
      pendingWrites -= 1;
      for (const row of rows().slice(-3)) history.add(row);
    });
  });
  child.onExit((event) => {
    exitCode = event.exitCode;
  });
  return {
    process: child,
    rows,
    history,
    async resize(count) {
      // No program can avoid output for the old width while the size changes, so the program is stopped meanwhile.
      child.kill("SIGSTOP");
      for (let looks = 0, seen = dataCount; looks < SILENT_LOOKS; looks++) {
        await delay(LOOK_MS);
        if (pendingWrites > 0 || dataCount > seen) looks = 0;
        seen = dataCount;
      }
      screen.resize(count, 20);
      child.resize(count, 20);
      child.kill("SIGCONT");
    },
    async exited() {
      await until(() => exitCode !== undefined && pendingWrites === 0);
      return exitCode ?? -1;
    },
    [Symbol.dispose]() {
      if (exitCode === undefined) child.kill("SIGKILL");
      screen.dispose();
    },
  };
}
