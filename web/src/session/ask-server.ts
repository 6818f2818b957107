import { BASE_URL } from "../base.ts";
import { EXPIRED } from "./session.ts";

/** Longest wait for the answer, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** A call that every scope or none may try: what counts is whether it gets past the token. */
const URL_OF_CALL = `${BASE_URL}/user.v1.UserService/ListUsers?connect=v1&encoding=json&message=%7B%22pageSize%22%3A1%7D`;

export interface Answer {
  /** Unknown where the server can't be reached, or something in between has answered. */
  readonly verdict: "taken" | "expired" | "refused" | "unknown";
  /** The server's clock, in milliseconds since the Unix epoch. */
  readonly nowMs?: number;
}

/** Asks the server whether it takes a token: it alone has the keys, and the clock that counts. */
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

/** @param answer In the JSON of the Connect protocol: users, or an error. */
function verdictOf(answer: { code?: unknown; message?: unknown }): Answer["verdict"] {
  const { code, message } = answer;
  if (code === undefined || code === "permission_denied") return "taken";
  if (code === "unauthenticated") return message === EXPIRED ? "expired" : "refused";
  return "unknown";
}
