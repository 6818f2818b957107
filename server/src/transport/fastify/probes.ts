import type { FastifyInstance } from "fastify";

/** Path of the probe whether the server can serve. */
export const READY_PATH = "/readyz";

/** Why a server is not ready, for the probe's caller; the error's text is for the log alone. */
export interface NotReady {
  readonly reason:
    | "draining"
    | "database-unavailable"
    | "database-unwritable"
    | "database-missing"
    | "database-corrupt";
  readonly error?: unknown;
}

export interface ProbesOptions {
  /** Resolves with what keeps the service from serving, if anything does. Answers a flood of probes at no cost. */
  checkReady(): Promise<NotReady | undefined>;
}

/**
 * `/healthz`: the process answers. `/readyz`: it can serve: the database answers and
 * takes writes, and it is not draining. The log has a line for each change, not for
 * each probe.
 */
export function registerProbes(app: FastifyInstance, { checkReady }: ProbesOptions): void {
  let logged: NotReady["reason"] | undefined;
  app.get("/healthz", () => ({ status: "ok" }));
  app.get(READY_PATH, async (_request, reply) => {
    const { reason, error } = (await checkReady()) ?? {};
    if (reason !== logged) {
      logged = reason;
      if (reason) app.log.warn({ reason, err: error }, "not ready");
      else app.log.info("ready again");
    }
    return reason ? reply.code(503).send({ status: "unavailable", reason }) : { status: "ready" };
  });
}
