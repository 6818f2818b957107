import { readJwtClaims } from "@rollcall/shared/jwt-claims";

/** Person who is signed in, according to the token. Only the server can know whether that is true. */
export interface Session {
  /** Stays the same when the same person continues with another token. */
  readonly key: string;
  readonly token: string;
  /** The token's `sub`. */
  readonly subject: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/** Signed JWT in compact form (RFC 7519, 3): its first part is JSON, which begins with a brace. */
const TOKEN = /eyJ[\w-]*\.[\w-]+\.[\w-]+/;

/** Returns the session of a token that is anywhere in the text: in a link, a header, or quotes. */
export function findToken(text: string): Session | undefined {
  return readToken(TOKEN.exec(text)?.[0] ?? "");
}

/** Returns the session of a token, if it is a JWT with a subject and an expiry. */
export function readToken(token: string): Session | undefined {
  // Only a token may go into a header: errors about a header may quote its value.
  if (TOKEN.exec(token)?.[0] !== token) return undefined;
  const { sub, exp, scope } = readJwtClaims(token) ?? {};
  if (typeof sub !== "string" || typeof exp !== "number") return undefined;
  const scopes = typeof scope === "string" ? scope.split(" ").filter((name) => name !== "") : [];
  return { key: token, token, subject: sub, scopes, expiresAtMs: exp * 1_000 };
}
