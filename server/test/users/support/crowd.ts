import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { childEnv } from "@rollcall/testing/child-env";
import type { MeasuredServer } from "../../hardening/support/measured-server.ts";

/** Ticks of the kernel's clock a second, in which it counts CPU time on all of Linux's usual platforms. */
const TICKS_PER_SECOND = 100;
/** Users that are changed in turn. */
export const CROWD_USERS = 100;

interface CrowdState {
  /** Watchers that have begun, events that all of them have had, and streams that have ended. */
  readonly synced: number;
  readonly created: number;
  readonly updated: number;
  readonly ended: number;
  /** Those of them that were too slow. */
  readonly slow: number;
  /** DATA frames that came. */
  readonly frames: number;
  /** Times from a change's request to its event, of a sample of the watchers. */
  readonly delaysMs: number[];
}

export interface CrowdFigures {
  changes: number;
  /** Events that came, and that should have. */
  events: number;
  expected: number;
  /** Times that a change was encoded. */
  encodingsAChange: number;
  /** Events that came together in a frame. */
  eventsAFrame: number;
  /** Streams that ended before their time, and those of them that were told that they are too slow. */
  ended: number;
  slow: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU time of the server's process, for each second and for each event. */
  cpuShare: number;
  cpuMicrosAnEvent: number;
}

/** Watchers of all users, in a process of their own. */
export class Crowd implements AsyncDisposable {
  readonly #server: MeasuredServer;
  readonly #watchers: number;
  readonly #child: ChildProcess;

  private constructor(server: MeasuredServer, watchers: number, child: ChildProcess) {
    this.#server = server;
    this.#watchers = watchers;
    this.#child = child;
  }

  /** Resolves when all of them watch. */
  static async start(server: MeasuredServer, watchers: number): Promise<Crowd> {
    const args = [String(server.port), server.headers.authorization, String(watchers)];
    const child = fork(new URL("./crowd-main.ts", import.meta.url), args, {
      env: { ...process.env, ...childEnv },
      serialization: "advanced",
    });
    const crowd = new Crowd(server, watchers, child);
    while ((await crowd.#ask("state")).synced < watchers) await delay(20);
    return crowd;
  }

  /** Changes users at a pace for some time, and waits for the events. */
  async follow(changesPerSecond: number, seconds: number): Promise<CrowdFigures> {
    const { url, headers, pid } = this.#server;
    const users = createClient(UserService, createGrpcTransport({ baseUrl: url }));
    const ids: string[] = [];
    for (let index = 0; index < CROWD_USERS; index++) {
      const email = `${crypto.randomUUID()}@example.com`;
      ids.push((await users.createUser({ email, name: "0" }, { headers })).user?.id ?? "");
    }
    await this.#until(({ created }) => created === CROWD_USERS * this.#watchers);
    this.#child.send("reset");
    const changes = changesPerSecond * seconds;
    const expected = changes * this.#watchers;
    const cpuBeforeMs = cpuMsOf(pid);
    const encodedBefore = await this.#server.encodedChanges();
    const startedAtMs = performance.now();
    const calls: Promise<unknown>[] = [];
    for (let index = 0; index < changes; index++) {
      const waitMs = startedAtMs + (index * 1_000) / changesPerSecond - performance.now();
      if (waitMs > 0) await delay(waitMs);
      const name = String(performance.timeOrigin + performance.now());
      calls.push(users.updateUser({ id: ids[index % CROWD_USERS] ?? "", name }, { headers }));
    }
    await Promise.all(calls);
    let before = -1;
    // Where some are ended, the others come to their ends too.
    await this.#until(({ updated, ended }) => {
      const isAtRest = ended > 0 && updated === before;
      before = updated;
      return updated === expected || isAtRest;
    }, 500);
    const tookMs = performance.now() - startedAtMs;
    const cpuMs = cpuMsOf(pid) - cpuBeforeMs;
    const encoded = (await this.#server.encodedChanges()) - encodedBefore;
    const { updated: events, ended, slow, frames, delaysMs } = await this.#ask("delays");
    delaysMs.sort((a, b) => a - b);
    const part = (share: number) => delaysMs[Math.min(delaysMs.length - 1, Math.floor(delaysMs.length * share))] ?? 0;
    return {
      ...{ changes, events, expected, ended, slow, p50Ms: part(0.5), p99Ms: part(0.99) },
      ...{ encodingsAChange: encoded / changes, eventsAFrame: events / frames },
      ...{ cpuShare: cpuMs / tookMs, cpuMicrosAnEvent: (cpuMs * 1_000) / events },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  async #until(isSo: (state: CrowdState) => boolean, intervalMs = 20): Promise<void> {
    while (!isSo(await this.#ask("state"))) await delay(intervalMs);
  }

  async #ask(question: "state" | "delays"): Promise<CrowdState> {
    const answer = once(this.#child, "message");
    this.#child.send(question);
    return (await answer)[0] as CrowdState;
  }
}

/** Returns the CPU time that a process has had, in milliseconds (proc(5)). */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}
