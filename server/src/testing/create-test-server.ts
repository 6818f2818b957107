import { randomBytes } from "node:crypto";
import { type MintOptions, mintToken } from "@rollcall/shared/settings/mint-token";
import { createApp } from "../app.ts";
import type { App, AppOptions } from "../app-options.ts";
import { SCOPES } from "../rpc/auth/permissions.ts";
import { createTokenVerifier } from "../rpc/auth/token-verifier.ts";
import { createLogger } from "../telemetry/logger.ts";
import { TestClock } from "./test-clock.ts";

export interface TestServer extends AsyncDisposable {
  readonly app: App;
  /** URL such as `http://localhost:4711`. */
  readonly url: string;
  readonly port: number;
  /** URL of the port for probes, if the server has one. */
  readonly probeUrl: string | undefined;
  /** All log entries of the server, parsed. */
  readonly log: Record<string, unknown>[];
  /**
   * Clock of users' times, page tokens and the tokens' lifetimes. Deadlines and other timers run on the system's clock.
   */
  readonly clock: TestClock;
  /** Returns a token that the server accepts; by default with all scopes, for an hour. */
  token(options?: Partial<MintOptions>): Promise<string>;
  /** Returns `{ authorization: "Bearer …" }` with such a token. */
  auth(options?: Partial<MintOptions>): Promise<{ authorization: string }>;
}

/**
 * Starts the real server for a test: on a free port of loopback, with an empty database in memory and a key of its own.
 * It stops at the end of an `await using` block. The first one of a process takes up to a second, since it compiles the
 * contract's rules; further ones take some milliseconds.
 *
 * @param options Options of `createApp`. If `now` is given, the clock begins with it.
 */
export async function createTestServer(options: Partial<AppOptions> = {}): Promise<TestServer> {
  const secret = randomBytes(32);
  const log: Record<string, unknown>[] = [];
  const clock = new TestClock(options.now);
  const app = await createApp({
    auth: createTokenVerifier({ keys: { secret }, now: clock.now }),
    streams: { resultIntervalMs: 1 },
    shutdownGraceMs: 500,
    logger: createLogger("debug", { write: (line) => log.push(JSON.parse(line)) }),
    ...options,
    now: clock.now,
    // On a busy machine, a test's calls wait for long instead of being refused, however late timers are.
    admission: { maxBurstWaitMs: 60_000, maxStandingWaitMs: 60_000, maxLoopDelayMs: 60_000, ...options.admission },
    // A test that is over has no requests in flight, so there is no need to wait for its clients' connections.
    limits: { idleBeforeCloseMs: 0, ...options.limits },
  });
  const { url, port, probeUrl } = await app.listen();
  const mint = (minting?: Partial<MintOptions>) =>
    mintToken({ secret, subject: "tester", scopes: SCOPES, ttlSeconds: 3_600, now: clock.now, ...minting });
  // Keep one token, since tests of raw requests ask for one with each request.
  let usual: { token: Promise<string>; mintedAtMs: number } | undefined;
  const token: TestServer["token"] = (minting) => {
    if (minting) return mint(minting);
    const ageMs = clock.now() - (usual?.mintedAtMs ?? Number.NaN);
    if (!usual || ageMs < 0 || ageMs > 1_800_000) usual = { token: mint(), mintedAtMs: clock.now() };
    return usual.token;
  };
  return {
    app,
    url,
    port,
    probeUrl,
    log,
    clock,
    token,
    auth: async (minting) => ({ authorization: `Bearer ${await token(minting)}` }),
    [Symbol.asyncDispose]: () => app.close(),
  };
}
