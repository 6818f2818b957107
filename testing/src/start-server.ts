import { randomBytes } from "node:crypto";
import {
  type App,
  type AppOptions,
  createApp,
  createLogger,
  createTokenVerifier,
  type MintOptions,
  mintToken,
  SCOPES,
} from "@rollcall/server";
import { rpcEngine } from "./rpc-engine.ts";

export interface TestServer extends AsyncDisposable {
  readonly app: App;
  /** URL such as `http://localhost:4711`. */
  readonly url: string;
  readonly port: number;
  /** URL of the port for probes, if the server has one. */
  readonly probeUrl: string | undefined;
  /** All that the server has logged, parsed. */
  readonly log: Record<string, unknown>[];
  /** A token that the server takes; by default with all scopes, for an hour. */
  token(options?: Partial<MintOptions>): Promise<string>;
  /** `{ authorization: "Bearer …" }` of such a token. */
  auth(options?: Partial<MintOptions>): Promise<{ authorization: string }>;
}

/** Boots the real server on a free port; it stops at the end of the `await using` block. */
export async function startServer(options: Partial<AppOptions> = {}): Promise<TestServer> {
  const secret = randomBytes(32);
  const log: Record<string, unknown>[] = [];
  const app = await createApp({
    auth: createTokenVerifier({ keys: { secret }, now: options.now }),
    streams: { resultIntervalMs: 1 },
    shutdownGraceMs: 500,
    rpcEngine,
    logger: createLogger("debug", { write: (line) => log.push(JSON.parse(line)) }),
    ...options,
    // On a busy machine, calls of a test wait for long and are not refused.
    admission: { maxBurstWaitMs: 60_000, maxStandingWaitMs: 60_000, ...options.admission },
    // A test that is over has no request on its way, so its clients' connections need not be waited for.
    limits: { idleBeforeCloseMs: 0, ...options.limits },
  });
  const { url, port, probeUrl } = await app.listen();
  const mint = (minting?: Partial<MintOptions>) =>
    mintToken({ secret, subject: "tester", scopes: SCOPES, ttlSeconds: 3_600, ...minting });
  // Tests of raw requests ask for one with each of them.
  let usual: Promise<string> | undefined;
  const token: TestServer["token"] = (minting) => {
    if (minting) return mint(minting);
    usual ??= mint();
    return usual;
  };
  return {
    app,
    url,
    port,
    probeUrl,
    log,
    token,
    auth: async (minting) => ({ authorization: `Bearer ${await token(minting)}` }),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

/** Waits until `check` returns something, and returns that; the test's own time limit bounds it. */
export async function until<T>(check: () => T | undefined | false): Promise<T> {
  for (;;) {
    const result = check();
    if (result !== undefined && result !== false) return result;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
