import { Code, ConnectError } from "@connectrpc/connect";
import { RequestNotSentError } from "./not-sent.ts";

/**
 * Loads a part of the client that not every page needs.
 *
 * @throws ConnectError unavailable if it can't be loaded.
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const text = "a part of this page can't be loaded: load it again";
    const cause = new RequestNotSentError(text, { cause: error, isTransient: false });
    throw new ConnectError(text, Code.Unavailable, undefined, undefined, cause);
  }
}
