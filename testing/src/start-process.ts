import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnv } from "./child-env.ts";
import { programFile } from "./programs.ts";

export interface ServerProcess extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly url: string;
  /** The token that it printed, with all scopes. */
  readonly token: string;
  /** Headers with that token. */
  readonly headers: { authorization: string };
  /** Returns everything that it has written to standard output so far. */
  output(): string;
  /** Returns everything that it has written to standard error so far. */
  errorOutput(): string;
  /** Resolves with its exit code, which is null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Resolves when it has ended and all its output has been read. */
  readonly closed: Promise<void>;
  /** Kills it, as a power cut would, and waits until it is gone. */
  kill(): Promise<void>;
}

export interface ProcessOptions {
  env?: Record<string, string>;
  /** Default: any that is free. */
  port?: number;
  /** Folder of the database and of the key for its tokens. Default: a new one, which is removed afterwards. */
  folder?: string;
  /** Shell commands that limit the process before it starts, such as `ulimit -f 4096`. */
  limits?: string;
  /**
   * Another program that prints its address and a token in the same way, as a path from the root. Default: the server's
   * own.
   */
  program?: string | undefined;
  /** Another Node.js to run it; a path. Default: that of the tests. */
  node?: string | undefined;
}

/** Starts the server as its own process; it is ready when this resolves. */
export async function startProcess(options: ProcessOptions = {}): Promise<ServerProcess> {
  const { env = {}, port = 0, folder, limits = ":", program = "server/src/main.ts", node = process.execPath } = options;
  const temporary = folder === undefined ? mkdtempSync(join(tmpdir(), "rollcall-")) : undefined;
  const databaseUrl = `sqlite:${join(folder ?? temporary ?? "", "users.db")}`;
  const child = spawn("sh", ["-c", `${limits}; exec "$0" "$@"`, node, programFile(program)], {
    env: { ...childEnv, PORT: String(port), DATABASE_URL: databaseUrl, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errorOutput = "";
  child.stderr.on("data", (chunk) => {
    errorOutput += chunk;
    process.stderr.write(chunk);
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const closed = once(child, "close").then(() => {});
  let output = "";
  const [, url = "", token = ""] = await new Promise<RegExpExecArray>((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      output += chunk;
      const match = /(https?:\/\/[^/\s]+)\/#token=(\S+)/.exec(output);
      if (match) resolve(match);
    });
    child.once("exit", () => reject(new Error(`the server did not start: ${output}`)));
  });
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  return {
    process: child,
    url,
    token,
    headers: { authorization: `Bearer ${token}` },
    output: () => output,
    errorOutput: () => errorOutput,
    exited,
    closed,
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
      if (temporary !== undefined) rmSync(temporary, { recursive: true });
    },
  };
}
