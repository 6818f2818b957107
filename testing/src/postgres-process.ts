import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { join } from "node:path";
import { childrenOf } from "./child-processes.ts";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import { startProcessGuard } from "./process-guard.ts";

/** Attempts to start again after a kill, 50 ms apart. The last of the old processes may still be running. */
const START_ATTEMPTS = 100;

/** The processes of a PostgreSQL server. */
export interface PostgresProcess extends AsyncDisposable {
  /** Process id of the postmaster; undefined while it is stopped. */
  readonly pid: number | undefined;
  /** Returns everything that it has logged. */
  log(): string;
  /** Kills all its processes at the same moment (SIGKILL). */
  kill(): Promise<void>;
  /** Stops it: "fast" as an operator does, "immediate" without a checkpoint. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** Starts it again with the same port and data. Resolves when it accepts connections. */
  start(): Promise<void>;
  /** Makes it hang (SIGSTOP): connections are accepted and open ones stay, but nothing answers. */
  pause(): void;
  /** Resumes it. */
  resume(): void;
}

export interface PostgresProcessOptions extends PostgresBinaries {
  /** Folder of the data, and of everything else that is removed with it. */
  readonly data: string;
  readonly folder: string;
  /** Settings as in `postgresql.conf`. */
  readonly settings: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether it keeps this process alive. */
  readonly isShared: boolean;
}

/** Starts a server. It ends with this process, even if that is killed, and its folder is then removed. */
export async function startPostgresProcess(options: PostgresProcessOptions): Promise<PostgresProcess> {
  const { bin, owner, data, folder, settings, env, isShared } = options;
  const args = ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  const guard = startProcessGuard({ folder, owner });
  let log = "";
  let child: ChildProcess | undefined;

  async function tryStart(): Promise<boolean> {
    const started = spawn(join(bin, "postgres"), args, {
      env,
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
      ...owner,
    });
    guard.watch(started.pid);
    let logOfStart = "";
    return new Promise((resolve) => {
      started.stderr.on("data", (chunk) => {
        log += chunk;
        if (child === started) return;
        logOfStart += chunk;
        if (!logOfStart.includes("ready to accept")) return;
        child = started;
        resolve(true);
      });
      started.once("exit", () => {
        guard.watch(undefined);
        if (child === started) child = undefined;
        resolve(false);
      });
    });
  }

  async function start(): Promise<void> {
    if (child) return;
    for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
      if (await tryStart()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`PostgreSQL did not start: ${log}`);
  }

  /** Sends a signal to the postmaster, and then to its children. By then it can't start more. */
  function signalAll(signal: NodeJS.Signals): void {
    if (child?.pid === undefined) return;
    const children = childrenOf(child.pid);
    child.kill(signal);
    const more = signal === "SIGSTOP" ? childrenOf(child.pid) : [];
    for (const pid of new Set([...children, ...more])) signalIfThere(pid, signal);
  }

  async function end(send: () => void): Promise<void> {
    const exited = child && once(child, "exit");
    send();
    await exited;
  }

  await start();
  if (isShared && child) {
    child.unref();
    (child.stderr as Socket).unref();
  }
  return {
    get pid() {
      return child?.pid;
    },
    log: () => log,
    kill: () => end(() => signalAll("SIGKILL")),
    stop: (mode = "fast") => end(() => child?.kill(mode === "fast" ? "SIGINT" : "SIGQUIT")),
    start,
    pause: () => signalAll("SIGSTOP"),
    resume: () => signalAll("SIGCONT"),
    async [Symbol.asyncDispose]() {
      await end(() => signalAll("SIGKILL"));
      await guard[Symbol.asyncDispose]();
    },
  };
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has already ended.
  }
}
