import { randomUUID } from "node:crypto";
import { jwtVerify } from "jose";
import { pino } from "pino";
import type { Settings } from "./settings.ts";

/** A call for the log. */
export interface EndedCall {
  readonly method: string;
  readonly code: "ok" | "unknown";
  readonly startedMs: number;
  readonly principal: string | undefined;
}

/** Work that a team adds to its framework for production: token, validation, log, database. */
export interface SameWork {
  /**
   * Checks a bearer token and the scope of the method.
   *
   * @returns The caller.
   * @throws Error when the token is missing, wrong or lacks the scope.
   */
  authorize(authorization: string | undefined, method: string): Promise<string>;
  /** Writes the log line of a call. */
  log(call: EndedCall): void;
  /** Does all of the work around a call: token, the given check of the request, the call, its log line. */
  around<T>(
    method: string,
    authorization: string | undefined,
    check: () => void,
    call: () => T | Promise<T>,
  ): Promise<T>;
}

/** Makes the work with the usual packages: jose, and pino with batches to a file. */
export function createSameWork({ authSecret, logFile }: Pick<Settings, "authSecret" | "logFile">): SameWork {
  const secret = new TextEncoder().encode(authSecret);
  const key = crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const logger = pino({ base: null }, pino.destination({ dest: logFile, sync: false, minLength: 4_096 }));
  const work: SameWork = {
    async authorize(authorization, method) {
      if (!authorization?.startsWith("Bearer ")) throw new Error("missing authorization token");
      const { payload } = await jwtVerify(authorization.slice(7), await key, { algorithms: ["HS256"] });
      const scope = scopeOf(method);
      if (!String(payload.scope).split(" ").includes(scope)) throw new Error(`scope ${scope} is missing`);
      return String(payload.sub);
    },
    log({ method, code, startedMs, principal }) {
      const durationMs = performance.now() - startedMs;
      logger.info({ requestId: randomUUID(), method, code, durationMs, principal }, "call");
    },
    async around(method, authorization, check, call) {
      const startedMs = performance.now();
      let principal: string | undefined;
      let code: EndedCall["code"] = "unknown";
      try {
        principal = await work.authorize(authorization, method);
        check();
        const result = await call();
        code = "ok";
        return result;
      } finally {
        work.log({ method, code, startedMs, principal });
      }
    },
  };
  return work;
}

/** Finds the scope that a method requires, as Rollcall does. */
function scopeOf(method: string): string {
  if (method === "GetUser" || method === "ListUsers") return "users:read";
  return method === "CreateUser" ? "users:write" : "streams";
}
