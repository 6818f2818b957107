import { readToken } from "./read-token.ts";
import { problemOf, sessionState, setLinkNews, takeSession } from "./session.ts";

const BROKEN = "The link is broken: the token in it is not whole. Copy the whole link again.";

/** How many links were followed. The server may answer about the first one after the second was followed. */
let followed = 0;

/**
 * Signs in with the token in a link's fragment, which is never sent to a server, and removes it from the address bar
 * and the history. Any page can link here with any token, so a person who is already signed in is asked first. Of
 * several links only the last counts, whichever the server answers first.
 */
export async function takeTokenFromAddress(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  const address = new URL(location.href);
  address.hash = "";
  history.replaceState(history.state, "", address);
  followed += 1;
  const place = followed;
  const session = readToken(token);
  if (!session) return setLinkNews({ problem: BROKEN });
  const wasIn = sessionState().status === "in";
  const problem = await problemOf(session);
  if (place !== followed) return;
  const state = sessionState();
  if (state.status !== "in") {
    if (problem) setLinkNews({ problem });
    else takeSession(session);
  } else if (state.session.token !== token) {
    if (!problem) setLinkNews({ offer: session });
    // If somebody has signed in meanwhile, the link's fault does not concern them.
    else if (wasIn) setLinkNews({ problem: `The link does not sign you in. ${problem}` });
  }
}
