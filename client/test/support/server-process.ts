import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { mintToken, SCOPES } from "@rollcall/server";
import { childEnv } from "@rollcall/testing/child-env";

const main = join(import.meta.dirname, "../../../server/src/main.ts");
const AUTH_SECRET = "a secret of the tests, long enough";

export interface ServerProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly port: number;
  readonly url: string;
  token(): Promise<string>;
  /** As a power cut of the process: no goodbye. */
  kill(): Promise<void>;
}

/** The real server in a process of its own; it is ready when this resolves. */
export async function startServerProcess(options: { port: number; databasePath?: string }): Promise<ServerProcess> {
  const { port, databasePath = ":memory:" } = options;
  const env = {
    ...childEnv,
    AUTH_SECRET,
    HOST: "127.0.0.1",
    PORT: String(port),
    DATABASE_URL: `sqlite:${databasePath}`,
    LOG_LEVEL: "fatal",
  };
  const child = spawn(process.execPath, [main], { env, stdio: ["ignore", "ignore", "inherit"] });
  const url = `http://127.0.0.1:${port}`;
  const exited = once(child, "exit");
  while (!(await isReady(url))) {
    if (child.exitCode !== null) throw new Error(`the server has exited with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  const secret = new TextEncoder().encode(AUTH_SECRET);
  return {
    child,
    port,
    url,
    token: () => mintToken({ secret, subject: "tester", scopes: SCOPES, ttlSeconds: 3_600 }),
    kill,
    [Symbol.asyncDispose]: kill,
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { headers: { connection: "close" } })).ok;
  } catch {
    return false;
  }
}
