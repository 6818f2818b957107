import {
  authorizationCodeGrantRequest,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
  None,
  processAuthorizationCodeResponse,
  validateAuthResponse,
} from "oauth4webapi";
import { noteServerClock, sessionState, setWaiting, signInByProvider } from "../session.ts";
import { CALLBACK_URL, findProvider, type Provider, requestOptions } from "./client.ts";
import { grantOf } from "./grant.ts";
import { type Pending, storePending, takePending } from "./pending.ts";
import { awaitWindow, POPUP_STATE, passOn } from "./popup.ts";
import { describeProblem, SignInError } from "./problems.ts";

const USED = "This sign-in was used before, or was begun in another tab. Sign in again.";

/** Goes to the provider in this tab. Returns the problem if it can't. */
export async function leaveForProvider(host: string): Promise<string | undefined> {
  try {
    const provider = await findProvider();
    const { pathname, search, hash } = location;
    const { pending, url } = await begin(provider, { returnTo: pathname + search + hash });
    if (!storePending(pending))
      throw new SignInError("Your browser blocks this page's storage, which a sign-in needs.");
    location.assign(url);
    return undefined;
  } catch (error) {
    return describeProblem(error, host);
  }
}

/**
 * Signs in by a window of its own, so that this page keeps everything that was typed.
 *
 * @returns The problem; "blocked" if the browser opens no window; undefined after a sign-in, or if the signal ended it.
 */
export async function signInByWindow(host: string, signal: AbortSignal): Promise<string | "blocked" | undefined> {
  try {
    const provider = await findProvider();
    const { pending, url } = await begin(provider, { returnTo: "", isPopup: true });
    const answer = awaitWindow(pending.state, signal);
    if (!window.open(url, "", "popup,width=520,height=720")) return "blocked";
    const search = await answer;
    if (search !== undefined) await complete(provider, pending, search);
    return undefined;
  } catch (error) {
    return describeProblem(error, host);
  }
}

/** Fetches everything that a window's address consists of, since browsers open a window only soon after a click. */
export function prepareWindow(): void {
  findProvider().catch(() => {});
}

/** Continues a sign-in, with the query that the provider sent back to this page. */
export async function takeAnswer(search: string): Promise<void> {
  if (passOn(search)) {
    setWaiting({ status: "busy", text: "Go back to the page that you came from; this window can be closed." });
  } else if (sessionState().status !== "in") {
    // Otherwise it is an old page that was reloaded, or reached by going back.
    await completeInTab(search);
  }
}

/** Completes the sign-in that this tab has begun. */
async function completeInTab(search: string): Promise<void> {
  const pending = takePending();
  let host = "The provider";
  try {
    if (!pending) throw new SignInError(USED);
    const provider = await findProvider();
    host = new URL(provider.options.issuer).host;
    const back = () => history.replaceState(null, "", pending.returnTo);
    try {
      await complete(provider, pending, search, back);
    } catch (error) {
      back();
      throw error;
    }
  } catch (error) {
    setWaiting({ status: "out", problem: describeProblem(error, host) });
  }
}

interface BeginOptions {
  returnTo: string;
  isPopup?: boolean;
}

/** Creates the secrets of a sign-in, and the provider's address that begins it. */
async function begin(
  { options, server }: Provider,
  { returnTo, isPopup = false }: BeginOptions,
): Promise<{ pending: Pending; url: string }> {
  if (!isSecureContext) throw new SignInError("A sign-in at a provider needs this page over https, or on localhost.");
  const codeVerifier = generateRandomCodeVerifier();
  const nonce = generateRandomNonce();
  const state = (isPopup ? POPUP_STATE : "") + generateRandomState();
  const url = new URL(server.authorization_endpoint ?? "");
  const parameters = {
    ...options.parameters,
    client_id: options.clientId,
    redirect_uri: CALLBACK_URL,
    response_type: "code",
    scope: options.scope,
    state,
    nonce,
    code_challenge: await calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { pending: { state, nonce, codeVerifier, returnTo }, url: url.href };
}

/** Checks the provider's answer, exchanges its code for tokens, and signs in with them. */
async function complete(provider: Provider, pending: Pending, search: string, before = () => {}): Promise<void> {
  const { options, server, client, aheadMs } = provider;
  const { nonce, codeVerifier, state } = pending;
  const query = new URLSearchParams(search);
  if (query.get("state") !== state) throw new SignInError(USED);
  const answer = validateAuthResponse(server, client, query, state);
  const response = await authorizationCodeGrantRequest(server, client, None(), answer, CALLBACK_URL, codeVerifier, {
    ...requestOptions(options),
    additionalParameters: options.parameters,
  });
  const tokens = await processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  before();
  noteServerClock(aheadMs);
  if (!signInByProvider(tokens.access_token, grantOf(tokens))) {
    throw new SignInError(
      `${new URL(options.issuer).host} gave an access token that is no JWT with a subject and an expiry, which this server needs. Tell whoever runs it: docs/tokens.md.`,
    );
  }
}
