/** Program of `startMeasuredServer`: a test's server, which its parent controls by messages. */
import { readdirSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import type { AppOptions, MintOptions } from "@rollcall/server";
import { type ProbeHandlers, withProbe } from "@rollcall/testing/probe-service";
import { startServer } from "@rollcall/testing/start-server";
import { defaultAdmissionLimits } from "../../../src/limits.ts";
import { openSqliteUserRepository } from "../../../src/repository/sqlite/user-repository.ts";
import { WatchAnswer } from "../../../src/rpc/user/watch-answer.ts";
import { createLineBatch } from "../../../src/telemetry/line-batch.ts";
import { createLogger } from "../../../src/telemetry/logger.ts";
import type { TlsOptions } from "../../../src/transport/port/servers.ts";
import type { MeasuredServerOptions } from "./measured-server.ts";

const {
  dropsLog,
  leaksLog,
  leakedBytes = 0,
  databasePath,
  ...options
} = JSON.parse(process.argv[2] ?? "{}") as MeasuredServerOptions;

let held = 0;
/** Waits until the caller cancels. */
async function hold(signal: AbortSignal): Promise<void> {
  held += 1;
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  held -= 1;
}
const probe: ProbeHandlers = {
  async unary({ value }, { signal }) {
    if (value === "fault") throw new Error("a secret cause");
    await hold(signal);
    return {};
  },
  async *serverStream({ value }, { signal }) {
    yield { value };
    await hold(signal);
  },
};

/** Writes the log as main.ts does, but drops the lines, or keeps them for ever. */
function createDroppedLog(): Pick<AppOptions, "logger" | "logOutput"> {
  const kept: unknown[] = [];
  const keep = (lines: string) => kept.push(lines, ...lines.split("\n").map(() => Buffer.alloc(leakedBytes)));
  const logOutput = createLineBatch({ write: (lines) => leaksLog && keep(lines) });
  return { logger: createLogger("info", logOutput), logOutput };
}

const { maxLoopDelayMs } = defaultAdmissionLimits;
const server = await startServer({
  ...options,
  // This limit is part of the measurement. Servers of tests do not have it by default.
  admission: { maxLoopDelayMs, ...options.admission },
  ...withProbe(probe),
  ...(dropsLog && createDroppedLog()),
  ...(databasePath !== undefined && { repository: openSqliteUserRepository({ path: databasePath }) }),
});
const headers = await server.auth();

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/**
 * Collects garbage three times: memory that is freed within a turn, such as a buffer's, is collected only the next
 * time.
 */
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

let encodedChanges = 0;
const { toBytes } = WatchAnswer.prototype;
WatchAnswer.prototype.toBytes = function (this: WatchAnswer) {
  if (this.changeId !== "") encodedChanges += 1;
  return toBytes.call(this);
};

let peak = 0;
setInterval(() => {
  peak = Math.max(peak, usedBytes());
}, 10);

const answers: Record<string, (argument: unknown) => unknown> = {
  async memory() {
    await collectGarbage();
    return usedBytes();
  },
  async resident() {
    await collectGarbage();
    return process.memoryUsage.rss();
  },
  headersFor: (caller) => server.auth(caller as Partial<MintOptions>),
  held: () => held,
  handles: () => ({
    sockets: process.getActiveResourcesInfo().filter((name) => /^(TCPSocketWrap|TLSWrap)$/.test(name)).length,
    descriptors: process.platform === "linux" ? readdirSync("/proc/self/fd").length : Number.NaN,
  }),
  replaceTls: (tls) => server.app.replaceTls(tls as TlsOptions),
  peak() {
    const bytes = Math.max(peak, usedBytes());
    peak = 0;
    return bytes;
  },
  encodedChanges: () => encodedChanges,
  log: (message) => server.log.filter(({ msg }) => msg === message),
  async users(count) {
    const users = createClient(UserService, createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" }));
    for (let start = 0; start < Number(count); start += 100) {
      const batch = Array.from({ length: Math.min(100, Number(count) - start) }, (_, index) => start + index);
      await Promise.all(
        batch.map((n) => users.createUser({ email: `user${n}@example.com`, name: `User ${n}` }, { headers })),
      );
    }
  },
};

process.on("message", async ({ id, question, argument }: { id: number; question: string; argument: unknown }) => {
  process.send?.({ id, answer: await answers[question]?.(argument) });
});
process.on("disconnect", () => process.exit(0));
// The parent kills this process, and Node.js keeps compiled code for the next process only at an exit.
flushCompileCache();
process.send?.({ url: server.url, port: server.port, ...headers });
