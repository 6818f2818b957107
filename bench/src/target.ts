import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Contestant } from "./contestants.ts";
import type { Context } from "./context.ts";
import { onServerCore } from "./cores.ts";
import { goProgramIn } from "./go-program.ts";

const START_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 2;

/**
 * Sets variables to empty texts, which count as not set. The repository's `.env` can then not change the measurements.
 */
const NOT_FROM_ENV_FILE = Object.fromEntries(
  [
    ...["TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"],
    ...["AUTH_JWKS_URL", "AUTH_ISSUER", "AUTH_AUDIENCE"],
    ...["METRICS", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER_ARG"],
    ...["LOG_LEVEL", "MAX_CALLS", "MAX_MESSAGE_BYTES", "MAX_UPLOAD_BYTES"],
  ].map((name) => [name, ""]),
);

/** Processes that must end with this one. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A running contestant. */
export interface Target extends AsyncDisposable {
  readonly contestant: Contestant;
  readonly pid: number;
  readonly port: number;
  /** Address, such as `http://127.0.0.1:4711`. */
  readonly url: string;
  readonly token: string;
  /** Certificate of the authority that signed the server's; undefined in plaintext. */
  readonly ca: string | undefined;
  /** Time from the start to the first open connection. */
  readonly startMs: number;
  /** Returns everything that it has written to standard error. */
  errorOutput(): string;
}

export interface StartOptions {
  /** Replaces the contestant's program. */
  readonly program?: string | undefined;
  readonly httpVersion?: "1.1" | "2" | undefined;
  readonly usesTls?: boolean | undefined;
  /** Further arguments for Node.js. */
  readonly nodeArgs?: readonly string[] | undefined;
}

/** Starts a contestant on the server's core. @throws Error with its output if it does not start. */
export async function startTarget(
  context: Context,
  contestant: Contestant,
  { program = contestant.program, httpVersion = "2", usesTls = false, nodeArgs = [] }: StartOptions = {},
): Promise<Target> {
  const folder = mkdtempSync(join(context.folder, `${contestant.name}-`));
  const port = await findFreePort();
  const outputs = [openSync(join(folder, "stdout.log"), "a"), openSync(join(folder, "stderr.log"), "a")];
  const errorOutput = () => readFileSync(join(folder, "stderr.log"), "utf8");
  const { tls } = context;
  const [command, args] = onServerCore(...commandOf(context, program, nodeArgs));
  const startedMs = performance.now();
  const child = spawn(command, args, {
    stdio: ["ignore", ...outputs],
    env: {
      ...NOT_FROM_ENV_FILE,
      PATH: process.env.PATH,
      HOST: "127.0.0.1",
      PORT: String(port),
      AUTH_SECRET: context.secret,
      DATABASE_URL: `sqlite:${join(folder, "rollcall.db")}`,
      BENCH_DATABASE: join(folder, "users.db"),
      BENCH_LOG_FILE: join(folder, "calls.log"),
      BENCH_HTTP: httpVersion,
      ...(usesTls && { TLS_CERT_FILE: tls.certFile, TLS_KEY_FILE: tls.keyFile }),
      ...(contestant.exports && { OTEL_EXPORTER_OTLP_ENDPOINT: context.otlpEndpoint }),
      ...contestant.env,
    },
  });
  running.add(child);
  outputs.forEach(closeSync);
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
    running.delete(child);
    rmSync(folder, { recursive: true, force: true });
  };
  while (!(await accepts(port))) {
    const isOver = child.exitCode !== null || performance.now() - startedMs > START_TIMEOUT_MS;
    if (isOver) {
      const words = errorOutput() || readFileSync(join(folder, "stdout.log"), "utf8");
      await stop();
      throw new Error(`${contestant.name} does not start: ${words}`);
    }
    await delay(POLL_INTERVAL_MS);
  }
  return {
    contestant,
    pid: child.pid ?? 0,
    port,
    url: `${usesTls ? "https" : "http"}://127.0.0.1:${port}`,
    token: context.token,
    ca: usesTls ? tls.ca : undefined,
    startMs: performance.now() - startedMs,
    errorOutput,
    [Symbol.asyncDispose]: stop,
  };
}

function commandOf({ folder }: Context, program: string, nodeArgs: readonly string[]): [string, string[]] {
  if (program === "grpc-go") return [goProgramIn(folder), []];
  return [process.execPath, [...nodeArgs, join(import.meta.dirname, "../contestants", program)]];
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
