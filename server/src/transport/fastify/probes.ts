import type { FastifyInstance } from "fastify";

/** Path of the readiness probe. */
export const READY_PATH = "/readyz";

/** Why a server is not ready. `reason` is for the probe's caller, `error` for the log alone. */
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
  /** Resolves with what keeps the service from serving, or with undefined. Has to be cheap under a flood of probes. */
  checkReady(): Promise<NotReady | undefined>;
}

/**
 * Registers two probes. `/healthz`: the process answers. `/readyz`: it can serve, that is, the database answers and
 * takes writes, and the server is not draining. Logs each change, not each probe.
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
