import type { Grant } from "../token-store.ts";
import { findProvider, SIGNED_OUT_URL } from "./client.ts";

/**
 * Goes to the address where the provider ends its own session (OpenID Connect RP-Initiated Logout 1.0); it then leads
 * back to this app.
 *
 * @throws Error if that can't be done.
 */
export async function endProviderSession({ idToken }: Grant): Promise<void> {
  const { options, server } = await findProvider();
  if (server.end_session_endpoint === undefined) throw new Error("the provider has no end of sessions");
  const url = new URL(server.end_session_endpoint);
  if (idToken) url.searchParams.set("id_token_hint", idToken);
  url.searchParams.set("client_id", options.clientId);
  url.searchParams.set("post_logout_redirect_uri", SIGNED_OUT_URL);
  location.replace(url);
}
