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
   * Whether the server's access log is written as by main.ts and dropped, so that many calls leave nothing. Default
   * false: `logged` has all lines.
   */
  dropsLog?: boolean;
  /** Whether what would be dropped is kept instead: a leak of a line a call. Default false. */
  leaksLog?: boolean;
  /** Bytes that such a leak keeps beside each line. Default 0. */
  leakedBytes?: number;
  /** File of the database. Default: in memory. */
  databasePath?: string;
  /** Serves TLS instead of plaintext. */
  tls?: Credentials;
}

/** Handles that a process has open. */
export interface OpenHandles {
  /** Sockets of connections; listening ones do not count. */
  readonly sockets: number;
  /** Descriptors of files and sockets, by the system; NaN where it is not Linux. */
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
  /** The most that it has taken up since the last call, of what looks every few milliseconds have seen, in bytes. */
  peakBytes(): Promise<number>;
  /** Memory that the kernel holds for it, after a garbage collection, in bytes. */
  residentBytes(): Promise<number>;
  /** Returns the handles that its process has open. */
  openHandles(): Promise<OpenHandles>;
  /** Gives it another certificate, as when its file has changed. */
  replaceTls(credentials: Credentials): Promise<void>;
  /** Calls of `ProbeService` that run: unary ones, and streams behind their first message, wait until they are cancelled. */
  heldCalls(): Promise<number>;
  /** Times that watchers' streams had a change encoded as protobuf, so far. */
  encodedChanges(): Promise<number>;
  /** Lines of its log with this message, so far. */
  logged(message: string): Promise<Record<string, unknown>[]>;
  /** Creates so many users, for lists. */
  createUsers(count: number): Promise<void>;
}

/** Starts the server in a process of its own, whose memory and time are nobody else's. */
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
