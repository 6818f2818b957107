import { createRollcall } from "@rollcall/client";
import { BASE_URL } from "../base.ts";
import { authenticate } from "../session/authenticate.ts";
import { letObserve } from "./observer.ts";

/** Longest wait for the answer of a unary call, in milliseconds; the same as the server's default. */
const TIMEOUT_MS = 30_000;

/** Calls the server that this page came from, as the person who is signed in. */
export const client = createRollcall({
  baseUrl: BASE_URL,
  timeoutMs: TIMEOUT_MS,
  interceptors: [authenticate, letObserve],
});
