import { readToken } from "./read-token.ts";
import { problemOf, sessionState, setLinkNews, signIn } from "./session.ts";

const BROKEN = "The link is broken: the token in it is not whole. Copy the whole link again.";

/**
 * Signs in with the token in a link's fragment, which is never sent to a server, and removes it from the address bar
 * and the history. Any page can link here with any token, so a person who is already signed in is asked first.
 */
export async function takeTokenFromAddress(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  const address = new URL(location.href);
  address.hash = "";
  history.replaceState(history.state, "", address);
  const session = readToken(token);
  if (!session) return setLinkNews({ problem: BROKEN });
  const state = sessionState();
  if (state.status !== "in") {
    const problem = await signIn(session);
    // If somebody has signed in meanwhile, the link's fault does not concern them.
    if (problem && sessionState().status !== "in") setLinkNews({ problem });
  } else if (state.session.token !== token) {
    const problem = await problemOf(session);
    const current = sessionState();
    if (current.status !== "in" || current.session.token === token) return;
    setLinkNews(problem === undefined ? { offer: session } : { problem: `The link does not sign you in. ${problem}` });
  }
}
