import { once } from "node:events";
import { Worker } from "node:worker_threads";

export interface Latency {
  readonly p99Ms: number;
  readonly calls: number;
  readonly failures: number;
}

export interface Bystander {
  /** Stops the calls, and returns their durations. */
  stop(): Promise<Latency>;
}

/**
 * Starts a bystander in its own thread. It calls GetUser on one connection every few milliseconds while a test attacks.
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
