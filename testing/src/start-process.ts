import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnv } from "./child-env.ts";

export interface ServerProcess extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly url: string;
  /** With the token that the server printed. */
  readonly headers: { authorization: string };
  /** All that it wrote to standard output so far. */
  output(): string;
  /** All that it wrote to standard error so far. */
  errorOutput(): string;
  /** Resolves with its exit code, null when a signal ended it. */
  readonly exited: Promise<number | null>;
}

export interface ProcessOptions {
  env?: Record<string, string>;
  /** Folder of the database; one that is removed afterwards when not given. */
  folder?: string;
  /** Shell commands that limit the process before it starts, such as `ulimit -f 4096`. */
  limits?: string;
}

/** Starts the server as its own process, on a free port. */
export async function startProcess({ env = {}, folder, limits = ":" }: ProcessOptions = {}): Promise<ServerProcess> {
  const temporary = folder === undefined ? mkdtempSync(join(tmpdir(), "rollcall-")) : undefined;
  const main = join(import.meta.dirname, "../../server/src/main.ts");
  const databaseUrl = `sqlite:${join(folder ?? temporary ?? "", "users.db")}`;
  const child = spawn("sh", ["-c", `${limits}; exec "$0" "$@"`, process.execPath, main], {
    env: { ...childEnv, PORT: "0", DATABASE_URL: databaseUrl, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errorOutput = "";
  child.stderr.on("data", (chunk) => {
    errorOutput += chunk;
    process.stderr.write(chunk);
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  let output = "";
  const [, url = "", token = ""] = await new Promise<RegExpExecArray>((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      output += chunk;
      const match = /(https?:\/\/[^/\s]+)\/#token=(\S+)/.exec(output);
      if (match) resolve(match);
    });
    child.once("exit", () => reject(new Error(`the server did not start: ${output}`)));
  });
  return {
    process: child,
    url,
    headers: { authorization: `Bearer ${token}` },
    output: () => output,
    errorOutput: () => errorOutput,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
      if (temporary !== undefined) rmSync(temporary, { recursive: true });
    },
  };
}
