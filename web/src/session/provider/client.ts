import type { SignInOptions } from "@rollcall/shared/sign-in-options";
import {
  type AuthorizationServer,
  allowInsecureRequests,
  type Client,
  clockSkew,
  discoveryRequest,
  processDiscoveryResponse,
} from "oauth4webapi";
import { BASE_URL } from "../../base.ts";
import { loadAppConfig } from "../app-config.ts";
import { SignInError } from "./problems.ts";

export type ProviderOptions = Extract<SignInOptions, { kind: "provider" }>;

/** Address that the provider sends people back to after their sign-in. */
export const CALLBACK_URL = `${BASE_URL}/callback`;
/** Address that the provider sends people back to after their sign-out. */
export const SIGNED_OUT_URL = `${BASE_URL}/signed-out`;
/** Longest wait for an answer of the provider, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** The provider as it describes itself, and this app as its client. */
export interface Provider {
  readonly options: ProviderOptions;
  readonly server: AuthorizationServer;
  readonly client: Client;
  /** Difference by which this device's clock is ahead of the server's, in milliseconds. */
  readonly aheadMs: number;
}

let discovering: Promise<AuthorizationServer> | undefined;

/** Asks the server for its provider, and the provider for its endpoints. @throws SignInError and fetch's errors. */
export async function findProvider(): Promise<Provider> {
  const { signIn: options, aheadMs } = await loadAppConfig();
  if (options.kind !== "provider") throw new SignInError("This server has no identity provider to sign in at.");
  discovering ??= discover(options).catch((error: unknown) => {
    discovering = undefined;
    throw error;
  });
  const server = await discovering;
  const client = { client_id: options.clientId, [clockSkew]: Math.round(-aheadMs / 1_000) };
  return { options, server, client, aheadMs };
}

/**
 * Returns options of a request to the provider. Plaintext is only allowed for a provider on this machine, which the
 * settings check.
 */
export function requestOptions({ issuer }: ProviderOptions) {
  return { signal: () => AbortSignal.timeout(TIMEOUT_MS), [allowInsecureRequests]: issuer.startsWith("http:") };
}

async function discover(options: ProviderOptions): Promise<AuthorizationServer> {
  const issuer = new URL(options.issuer);
  const server = await processDiscoveryResponse(issuer, await discoveryRequest(issuer, requestOptions(options)));
  // The content policy of this page lets it call no other origin.
  if (new URL(server.token_endpoint ?? issuer).origin !== issuer.origin) {
    throw new SignInError(`The token endpoint of ${issuer.host} has another origin, which this page must not call.`);
  }
  return server;
}
