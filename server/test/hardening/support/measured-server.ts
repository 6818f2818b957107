import { fork } from "node:child_process";
import { once } from "node:events";
import type { MintOptions } from "@rollcall/server";
import type { Credentials } from "@rollcall/testing/certificates";
import { childEnv } from "@rollcall/testing/child-env";
import { programFile } from "@rollcall/testing/programs";
import { until } from "@rollcall/testing/start-server";
import type { AppOptions } from "../../../src/app-options.ts";

export interface MeasuredServerOptions {
  limits?: Omit<NonNullable<AppOptions["limits"]>, "trustedProxies">;
  timeouts?: AppOptions["timeouts"];
  streams?: AppOptions["streams"];
  admission?: AppOptions["admission"];
  webSockets?: AppOptions["webSockets"];
  webRoot?: string;
  rateLimit?: AppOptions["rateLimit"];
  codingThreads?: number;
  /**
   * Whether the server's access log is written as by main.ts and then dropped, so that many calls leave nothing.
   * Default false: `logged` returns all lines.
   */
  dropsLog?: boolean;
  /** Whether the lines are kept instead of dropped: a leak of one line per call. Default false. */
  leaksLog?: boolean;
  /** Bytes that this leak keeps in addition to each line. Default 0. */
  leakedBytes?: number;
  /** Path of the database file. Default: in memory. */
  databasePath?: string;
  /** Credentials, to serve TLS instead of plaintext. */
  tls?: Credentials;
}

/** Handles that a process has open. */
export interface OpenHandles {
  /** Number of connections' sockets; listening ones do not count. */
  readonly sockets: number;
  /** Number of descriptors of files and sockets, from the system. NaN if it is not Linux. */
  readonly descriptors: number;
}

export interface MeasuredServer extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly port: number;
  readonly headers: { authorization: string };
  /** Returns headers with a token of another caller, or with other scopes. */
  headersFor(caller: Pick<Partial<MintOptions>, "subject" | "scopes">): Promise<{ authorization: string }>;
  /** Returns the memory of the server's process after a garbage collection, in bytes. */
  memoryBytes(): Promise<number>;
  /** Returns the largest growth of the memory since the last call, in bytes. It is sampled every few milliseconds. */
  peakBytes(): Promise<number>;
  /** Returns the memory that the kernel holds for the process after a garbage collection, in bytes. */
  residentBytes(): Promise<number>;
  /** Returns the handles that the server's process has open. */
  openHandles(): Promise<OpenHandles>;
  /** Replaces the server's certificate, as when its file has changed. */
  replaceTls(credentials: Credentials): Promise<void>;
  /**
   * Returns the number of running `ProbeService` calls. Unary calls, and streams after their first message, wait until
   * they are cancelled.
   */
  heldCalls(): Promise<number>;
  /** Returns how many times a change was encoded as protobuf for watchers' streams so far. */
  encodedChanges(): Promise<number>;
  /** Returns the log lines with this message so far. */
  logged(message: string): Promise<Record<string, unknown>[]>;
  /** Creates this number of users, for lists. */
  createUsers(count: number): Promise<void>;
}

/** Starts the server in its own process, so that its memory and time can be measured alone. */
export async function startMeasuredServer(options: MeasuredServerOptions = {}): Promise<MeasuredServer> {
  const child = fork(programFile("server/test/hardening/support/measured-server-main.ts"), [JSON.stringify(options)], {
    execArgv: ["--expose-gc"],
    env: { ...process.env, ...childEnv },
    serialization: "advanced",
  });
  let nextId = 0;
  const answers = new Map<number, unknown>();
  const ask = async (question: string, argument?: unknown): Promise<unknown> => {
    const id = nextId++;
    child.send({ id, question, argument });
    const [answer] = await until(() => (answers.has(id) ? [answers.get(id)] : undefined));
    answers.delete(id);
    return answer;
  };
  const [started] = (await once(child, "message")) as [{ url: string; port: number; authorization: string }];
  child.on("message", ({ id, answer }: { id: number; answer: unknown }) => answers.set(id, answer));
  return {
    pid: child.pid ?? 0,
    url: started.url,
    port: started.port,
    headers: { authorization: started.authorization },
    headersFor: async (caller) => (await ask("headersFor", caller)) as { authorization: string },
    memoryBytes: async () => (await ask("memory")) as number,
    peakBytes: async () => (await ask("peak")) as number,
    residentBytes: async () => (await ask("resident")) as number,
    openHandles: async () => (await ask("handles")) as OpenHandles,
    replaceTls: async (credentials) => void (await ask("replaceTls", credentials)),
    heldCalls: async () => (await ask("held")) as number,
    encodedChanges: async () => (await ask("encodedChanges")) as number,
    logged: async (message) => (await ask("log", message)) as Record<string, unknown>[],
    createUsers: async (count) => void (await ask("users", count)),
    async [Symbol.asyncDispose]() {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
