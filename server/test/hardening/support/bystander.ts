import { once } from "node:events";
import { Worker } from "node:worker_threads";

export interface Latency {
  readonly p99Ms: number;
  readonly calls: number;
  readonly failures: number;
}

export interface Bystander {
  /** Ends its calls, and returns how long they took. */
  stop(): Promise<Latency>;
}

/**
 * Somebody else, in a thread of its own, who calls GetUser on one connection, a call
 * every few milliseconds, while a test attacks.
 */
export async function startBystander(url: string, headers: { authorization: string }): Promise<Bystander> {
  const worker = new Worker(new URL("./bystander-main.ts", import.meta.url), { workerData: { url, headers } });
  await once(worker, "message");
  return {
    async stop() {
      worker.postMessage("stop");
      const [latency] = (await once(worker, "message")) as [Latency];
      await worker.terminate();
      return latency;
    },
  };
}
