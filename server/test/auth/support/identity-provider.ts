import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { createTokenVerifier, type TokenKeys } from "../../../src/rpc/auth/token-verifier.ts";
import { createLogger } from "../../../src/telemetry/logger.ts";

export const issuer = "https://idp.example";
export const audience = "rollcall";

/** Signs a token with these claims; by default with all claims that a token needs. */
export type Sign = (claims?: object, header?: { kid?: string | undefined }) => Promise<string>;

export interface IdentityProvider extends AsyncDisposable {
  /** URL of the key set. */
  readonly url: URL;
  /** Keys of the key set. Invalid keys are served too. */
  keys: unknown[];
  /** Answers a request instead of the key set, if it is set. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  /** Number of requests so far. */
  readonly requestCount: number;
  /** Makes a key, adds its public half to the set, and returns a function that signs with it. */
  addKey(alg: string, jwk?: { kid?: string; [name: string]: unknown }): Promise<Sign>;
}

/** Starts an identity provider on a free port: a real server with a key set (RFC 7517). */
export async function startIdentityProvider(): Promise<IdentityProvider> {
  let requestCount = 0;
  const server = createServer((request, response) => {
    requestCount += 1;
    if (provider.answer) provider.answer(request, response);
    else response.end(JSON.stringify({ keys: provider.keys }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`);
  const provider: IdentityProvider = {
    url,
    keys: [],
    answer: undefined,
    get requestCount() {
      return requestCount;
    },
    async addKey(alg, { kid: ownKid, ...jwk } = {}) {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      this.keys.push({ ...(await exportJWK(publicKey)), alg, use: "sig", kid: ownKid, ...jwk });
      return (claims = { scope: "users:read streams" }, { kid = ownKid } = {}) =>
        new SignJWT({ ...claims })
          .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
          .setSubject("grace")
          .setIssuer(issuer)
          .setAudience(audience)
          .setExpirationTime("12h")
          .sign(privateKey);
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
  return provider;
}

export interface Trusting extends TestServer {
  /** Advances the verifier's clock, in milliseconds. */
  advance(ms: number): void;
  /** Makes a gRPC call with the token. */
  call(token: string): Promise<unknown>;
  /** Lines about the provider's keys, as `level: message`. */
  keyLines(): string[];
}

/** Starts a server that trusts the provider. Its verifier's clock moves only by `advance`. */
export async function startTrusting(provider: IdentityProvider, keys?: Partial<TokenKeys>): Promise<Trusting> {
  let nowMs = Date.now();
  const log: Record<string, unknown>[] = [];
  const logger = createLogger("debug", { write: (line) => log.push(JSON.parse(line)) });
  const auth = createTokenVerifier({
    // A busy machine may take longer than the usual bound.
    keys: { jwksUrl: provider.url, fetchTimeoutMs: 600_000, ...keys },
    issuer,
    audience,
    logger,
    now: () => nowMs,
  });
  const server = await startServer({ auth, logger });
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  return {
    ...server,
    log,
    advance: (ms) => {
      nowMs += ms;
    },
    call: (token) => users.listUsers({}, { headers: { authorization: `Bearer ${token}` } }),
    keyLines: () =>
      log.filter(({ msg }) => String(msg).includes("identity provider")).map(({ level, msg }) => `${level}: ${msg}`),
  };
}
