import type { HandlerContext } from "@connectrpc/connect";
import { malformed } from "../malformed.ts";

/** Run of percent-encoded bytes. The text between two runs is ASCII, so no character is cut. */
const ENCODED_BYTES = /(?:%[\da-f]{2})+/gi;

/** base64 (RFC 4648, 4) and base64url (5), with or without padding. */
const BASE64 = /^[\w+/-]*={0,2}$/;

/** Checks the query of a call that came by GET. @throws ConnectError invalid_argument. */
export function checkGetRequest({ requestMethod, url }: HandlerContext): void {
  if (requestMethod !== "GET") return;
  const { search, searchParams } = new URL(url);
  checkQuery(search, searchParams);
}

/**
 * Checks the query of a Connect GET, above all the message in it. The later parser replaces bytes that are not UTF-8 by
 * U+FFFD, and drops blanks from base64. A `+` that is not percent-encoded is a blank in a query.
 *
 * @throws ConnectError invalid_argument
 */
export function checkQuery(search: string, searchParams: URLSearchParams): void {
  try {
    for (const [bytes] of search.matchAll(ENCODED_BYTES)) decodeURIComponent(bytes);
  } catch (error) {
    throw malformed("the query is not valid UTF-8", "unparsable", error);
  }
  if (searchParams.get("base64") !== "1") return;
  const message = searchParams.get("message") ?? "";
  const isPadded = message.endsWith("=");
  const digits = message.replace(/=+$/, "").length;
  if (!BASE64.test(message) || digits % 4 === 1 || (isPadded && message.length % 4 !== 0)) {
    throw malformed("the message in the query is not valid base64");
  }
}
