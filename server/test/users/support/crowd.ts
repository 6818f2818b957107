import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { childEnv } from "@rollcall/testing/child-env";
import type { MeasuredServer } from "../../hardening/support/measured-server.ts";

/** Ticks per second of the kernel's clock, the unit of CPU time, on all usual platforms of Linux. */
const TICKS_PER_SECOND = 100;
/** Number of users that are changed in turn. */
export const CROWD_USERS = 100;

interface CrowdState {
  /** Watchers that have begun, events that all of them received, and streams that have ended. */
  readonly synced: number;
  readonly created: number;
  readonly updated: number;
  readonly ended: number;
  /** Number of streams that ended because their watchers were too slow. */
  readonly slow: number;
  /** Number of DATA frames received. */
  readonly frames: number;
  /** Times between a change's request and its event, in milliseconds, for a sample of the watchers. */
  readonly delaysMs: number[];
}

export interface CrowdFigures {
  changes: number;
  /** Number of received events, and of expected ones. */
  events: number;
  expected: number;
  /** Number of times that each change was encoded. */
  encodingsAChange: number;
  /** Number of events per frame. */
  eventsAFrame: number;
  /** Streams that ended early, and those of them that were reported as too slow. */
  ended: number;
  slow: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU time of the server's process, per second and per event. */
  cpuShare: number;
  cpuMicrosAnEvent: number;
}

/** Watchers of all users, in a separate process. */
export class Crowd implements AsyncDisposable {
  readonly #server: MeasuredServer;
  readonly #watchers: number;
  readonly #child: ChildProcess;

  private constructor(server: MeasuredServer, watchers: number, child: ChildProcess) {
    this.#server = server;
    this.#watchers = watchers;
    this.#child = child;
  }

  /** Resolves when all of them are watching. */
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

  /** Changes users at a given rate for some time, and waits for the events. */
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
    // If some streams are ended, the others still reach their ends.
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

/** Returns the CPU time that a process has used, in milliseconds (proc(5)). */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}
