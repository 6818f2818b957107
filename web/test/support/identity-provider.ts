import { generateKeyPairSync } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import Provider, { type Configuration } from "oidc-provider";

export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly host: string;
  /** API that its access tokens are for. */
  readonly audience: string;
  readonly clientId: string;
  /** Lifetimes of the next access tokens, in seconds; later ones last an hour. */
  readonly lifetimes: number[];
  /** Grant types of the token requests that have succeeded. */
  readonly grants: string[];
  /** Registers the address of the app, to which people are sent back. */
  allow(appUrl: string): void;
  /** Revokes all refresh tokens. */
  revoke(): Promise<void>;
  /** Renews no token before this resolves. */
  renewalsHeld: Promise<void> | undefined;
  /** Answers a request in the provider's place, and returns whether it did so. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
}

const CLIENT_ID = "rollcall-web";
const AUDIENCE = "https://rollcall.example/api";
const SCOPES = ["users:read", "users:write", "streams"];

/** Starts a real OpenID provider on loopback, with forms for a login and a consent. Any name may log in. */
export async function startIdentityProvider(): Promise<IdentityProvider> {
  const started = Promise.withResolvers<void>();
  // A server fetches the keys as it starts, and its address is known only after that. Requests wait until then.
  let handle: (request: IncomingMessage, response: ServerResponse) => unknown = async (request, response) => {
    await started.promise;
    handle(request, response);
  };
  const http = createServer(async (request, response) => {
    if (request.url === "/token" && grants.length > 0) await own.renewalsHeld;
    if (!own.intercept?.(request, response)) void handle(request, response);
  });
  await new Promise<void>((resolve) => http.listen(0, "localhost", resolve));
  const host = `localhost:${(http.address() as AddressInfo).port}`;
  const issuer = `http://${host}`;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const lifetimes: number[] = [];
  const accessTokenSeconds = () => lifetimes.shift() ?? 3_600;
  const grants: string[] = [];
  const refreshTokens: { destroy(): Promise<unknown> }[] = [];
  const app = { url: "" };
  const configuration: Configuration = {
    clients: [],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "ES256", kid: "first", use: "sig" }] },
    cookies: { keys: ["a key of this test"] },
    scopes: ["openid", ...SCOPES],
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    clientBasedCORS: (_ctx, origin) => origin === app.url,
    issueRefreshToken: async () => true,
    ttl: {
      AccessToken: accessTokenSeconds,
      IdToken: 3_600,
      RefreshToken: 86_400,
      Grant: 86_400,
      Interaction: 3_600,
      Session: 86_400,
    },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: SCOPES.join(" "),
          audience: AUDIENCE,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "ES256" } },
        }),
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = `<!doctype html>${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out there</button>`;
        },
      },
    },
  };
  const start = () => {
    const provider = new Provider(issuer, {
      ...configuration,
      clients: [
        {
          client_id: CLIENT_ID,
          token_endpoint_auth_method: "none",
          id_token_signed_response_alg: "ES256",
          grant_types: ["authorization_code", "refresh_token"],
          response_types: ["code"],
          redirect_uris: [`${app.url}/callback`],
          post_logout_redirect_uris: [`${app.url}/signed-out`],
        },
      ],
    });
    provider.on("grant.success", (ctx) => grants.push(String(ctx.oidc.params?.grant_type)));
    provider.on("refresh_token.saved", (token) => refreshTokens.push(token));
    const answer = provider.callback();
    handle = (request, response) =>
      request.url?.startsWith("/interaction/") ? interact(provider, request, response) : answer(request, response);
    started.resolve();
  };
  const own: IdentityProvider = {
    issuer,
    host,
    audience: AUDIENCE,
    clientId: CLIENT_ID,
    lifetimes,
    grants,
    renewalsHeld: undefined,
    intercept: undefined,
    allow(appUrl) {
      app.url = appUrl;
      start();
    },
    async revoke() {
      for (const token of refreshTokens) await token.destroy();
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  return own;
}

/** Shows the form that the provider waits for, and takes what was sent. */
async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, session, params } = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    const field = prompt.name === "login" ? `<label>Login <input name="login"></label>` : "Let Rollcall in?";
    response.setHeader("content-type", "text/html");
    response.end(
      `<!doctype html><title>Identity provider</title><form method="post">${field}<button>Continue</button><button name="refuse" value="yes">Refuse</button></form>`,
    );
    return;
  }
  const sent = new URLSearchParams(await text(request));
  if (sent.has("refuse")) {
    const refusal = { error: "access_denied", error_description: "the person refused" };
    return provider.interactionFinished(request, response, refusal, { mergeWithLastSubmission: false });
  }
  if (prompt.name === "login") {
    const login = { accountId: sent.get("login") ?? "" };
    return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  }
  const grant = new provider.Grant({ accountId: session?.accountId ?? "", clientId: String(params.client_id) });
  grant.addOIDCScope(["openid", ...SCOPES].join(" "));
  grant.addResourceScope(AUDIENCE, SCOPES.join(" "));
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}
