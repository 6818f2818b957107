import type { FastifyInstance } from "fastify";
import type { NotReady } from "../../domain/not-ready.ts";

/** Path of the readiness probe. */
export const READY_PATH = "/readyz";

/** Words for each reason. */
const MESSAGES: Readonly<Record<NotReady["reason"], string>> = {
  draining: "the server is shutting down",
  "database-unavailable": "the database can't be reached, or is busy",
  "database-unwritable": "the database answers, but takes no writes, as on a full disk",
  "database-missing": "the database was dropped, or a file of it removed, renamed or replaced",
  "database-corrupt": "the database is damaged",
};

export interface ProbesOptions {
  /**
   * Resolves with the fault that keeps the service from serving, or with undefined. Must be cheap, even under a flood
   * of probes.
   */
  checkReady(): Promise<NotReady | undefined>;
}

/**
 * Registers two probes. `/healthz` shows that the process answers. `/readyz` shows that it can serve: the database
 * answers and accepts writes, and the server is not draining.
 */
export function registerProbes(app: FastifyInstance, { checkReady }: ProbesOptions): void {
  app.get("/healthz", (_request, reply) => reply.header("cache-control", "no-store").send({ status: "ok" }));
  app.get(READY_PATH, async (_request, reply) => {
    reply.header("cache-control", "no-store");
    const reason = (await checkReady())?.reason;
    if (reason === undefined) return { status: "ready" };
    return reply.code(503).send({ status: "unavailable", reason, message: MESSAGES[reason] });
  });
}
