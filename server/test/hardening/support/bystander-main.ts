/** The program of `startBystander`. */
import http from "node:http";
import https from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";

const PAUSE_MS = 4;
const TIMEOUT_MS = 10_000;

const { url, headers } = workerData as { url: string; headers: { authorization: string } };
const { Agent, request } = url.startsWith("https:") ? https : http;
const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
let isStopped = false;
let failures = 0;
const durationsMs: number[] = [];

/** Resolves with whether the call got the expected answer: there is no such user. */
function call(): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request(`${url}/user.v1.UserService/GetUser`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      agent,
      timeout: TIMEOUT_MS,
    });
    outgoing.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode === 404));
      response.on("error", () => resolve(false));
    });
    outgoing.on("timeout", () => outgoing.destroy());
    outgoing.on("error", () => resolve(false));
    outgoing.end('{"id":"0197c0de-0000-7000-8000-000000000000"}');
  });
}

parentPort?.on("message", () => {
  isStopped = true;
});
await call();
parentPort?.postMessage("started");
while (!isStopped) {
  const startedAtMs = performance.now();
  if (!(await call())) failures += 1;
  durationsMs.push(performance.now() - startedAtMs);
  await delay(PAUSE_MS);
}
agent.destroy();
durationsMs.sort((a, b) => a - b);
const p99Ms = durationsMs[Math.floor(durationsMs.length * 0.99)] ?? 0;
parentPort?.postMessage({ p99Ms, calls: durationsMs.length, failures });
