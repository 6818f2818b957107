/** Error text for a token that must not go into a header. Does not quote the token. */
export const TOKEN_FAULT =
  "the token has characters that no token has, such as a space, a quote or a line break; it goes without the word Bearer";

/** RFC 6750, 2.1 (b64token). */
const BEARER_TOKEN = /^[\w.~+/-]+=*$/;
/** A signed JWT, as most tokens are (RFC 7519, 3). */
const JWT = /eyJ[\w-]*\.[\w-]+\.[\w-]*/g;

/**
 * Returns the token without white space around it, such as a file's last line break; empty if nothing else is left.
 * Returns undefined for a token that must not go into a header: the error of `Headers` would quote all of it.
 */
export function toBearerToken(text: string): string | undefined {
  const token = text.trim();
  return token === "" || BEARER_TOKEN.test(token) ? token : undefined;
}

/** Cuts each JWT in a text to its first letters, for messages that quote what a person has typed. */
export function withoutTokens(text: string): string {
  return text.replace(JWT, "eyJ…");
}
