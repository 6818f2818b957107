import type { FastifyInstance } from "fastify";

export interface ProbesOptions {
  /** Rejects while the service can't serve. */
  checkReady(): Promise<void>;
}

/**
 * `/healthz`: the process answers. `/readyz`: it can serve: the database answers
 * and it is not draining (a draining server answers every new request with 503).
 */
export function registerProbes(app: FastifyInstance, { checkReady }: ProbesOptions): void {
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", async (_request, reply) => {
    try {
      await checkReady();
      return { status: "ready" };
    } catch (error) {
      app.log.warn({ err: error }, "not ready");
      return reply.code(503).send({ status: "unavailable" });
    }
  });
}
