import { randomBytes } from "node:crypto";
import { mintToken } from "@rollcall/shared/settings/mint-token";
import { withProbe } from "@rollcall/testing/probe-service";
import { createApp } from "../../../src/app.ts";
import { SCOPES } from "../../../src/rpc/auth/permissions.ts";
import { createTokenVerifier } from "../../../src/rpc/auth/token-verifier.ts";

/** Server for load tests, in its own process. The argument `lifted` lifts the limits on calls. */
const secret = randomBytes(32);
const isLifted = process.argv[2] === "lifted";
const unlimited = Number.POSITIVE_INFINITY;
/**
 * Computing time of a call, in milliseconds. If calls only read a user, the server would take more of them than one
 * client process can make. A refusal costs some 0.04 ms, so if calls computed less, a larger share of the time would go
 * into refusals.
 */
const COMPUTE_MS = 0.5;
const compute = withProbe({
  unary(request) {
    const untilMs = performance.now() + COMPUTE_MS;
    while (performance.now() < untilMs);
    return request;
  },
});
const app = await createApp({
  ...compute,
  auth: createTokenVerifier({ keys: { secret } }),
  host: "127.0.0.1",
  ...(isLifted && {
    maxCalls: unlimited,
    admission: { maxTurnMs: unlimited, maxLoopDelayMs: unlimited, maxBurstWaitMs: unlimited, window: unlimited },
  }),
});
const { url } = await app.listen();
process.send?.({ url, token: await mintToken({ secret, subject: "load", scopes: SCOPES, ttlSeconds: 3_600 }) });
process.on("disconnect", () => process.exit());
