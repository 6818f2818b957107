/** Server with two workers, as `main.ts` runs them. Each has its own database in memory, so it serves only reads. */
import cluster from "node:cluster";
import { createApp, createLogger, createTokenVerifier, mintToken, SCOPES } from "@rollcall/server";
import { createMetricsExchange } from "../../../src/workers/exchange-metrics.ts";
import { reservePort } from "../../../src/workers/reserve-port.ts";
import { SERVING, superviseWorkers } from "../../../src/workers/supervise-workers.ts";

const { PORT, FAILS } = process.env;
const SHUTDOWN_GRACE_MS = 60_000;
const secret = new Uint8Array(32).fill(7);
const logger = createLogger("info", process.stdout);
const port = Number(PORT);

if (cluster.isPrimary) {
  const env = { PORT: String(await reservePort("localhost", port)) };
  const supervisor = superviseWorkers({
    workers: 2,
    env,
    stopTimeoutMs: SHUTDOWN_GRACE_MS,
    output: process.stdout,
    errorOutput: process.stderr,
    logger,
  });
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, supervisor.stop);
  process.exit(await supervisor.ended);
}

if (FAILS) process.exit(Number(FAILS));
const app = await createApp({
  auth: createTokenVerifier({ keys: { secret } }),
  port,
  reusePort: true,
  metricsExchange: cluster.worker && createMetricsExchange(cluster.worker),
  shutdownGraceMs: SHUTDOWN_GRACE_MS,
  logger,
});
process.once("SIGTERM", async () => {
  await app.close();
  process.exit(0);
});
const { url } = await app.listen();
cluster.worker?.send(SERVING);
const token = await mintToken({ secret, subject: "tester", scopes: SCOPES, ttlSeconds: 3_600 });
if (cluster.worker?.id === 1) process.stdout.write(`${url}/#token=${token}\n`);
