import { BASE_URL } from "../base.ts";
import { EXPIRED } from "./session.ts";

/** Longest wait for the answer, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** URL of a call that needs a token. If the call is refused for lack of a scope, the token itself was accepted. */
const URL_OF_CALL = `${BASE_URL}/user.v1.UserService/ListUsers?connect=v1&encoding=json&message=%7B%22pageSize%22%3A1%7D`;

export interface Answer {
  /** Unknown if the server can't be reached, or if a proxy has answered in its place. */
  readonly verdict: "taken" | "expired" | "refused" | "unknown";
  /** Time by the server's clock, in milliseconds since the Unix epoch. */
  readonly nowMs?: number;
}

/** Asks the server whether it accepts a token. Only the server has the keys, and the clock that counts. */
export async function askServer(token: string): Promise<Answer> {
  try {
    const response = await fetch(URL_OF_CALL, {
      headers: { authorization: `Bearer ${token}` },
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const nowMs = Date.parse(response.headers.get("date") ?? "");
    const verdict = verdictOf(await response.json());
    return { verdict, ...(!Number.isNaN(nowMs) && { nowMs }) };
  } catch {
    return { verdict: "unknown" };
  }
}

/** @param answer Users or an error, in the JSON of the Connect protocol. */
function verdictOf(answer: { code?: unknown; message?: unknown }): Answer["verdict"] {
  const { code, message } = answer;
  if (code === undefined || code === "permission_denied") return "taken";
  if (code === "unauthenticated") return message === EXPIRED ? "expired" : "refused";
  return "unknown";
}
