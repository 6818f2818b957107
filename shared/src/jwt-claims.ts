/**
 * Returns the claims of a JWT in compact form (RFC 7519), or undefined for any other text. Does not verify them: only a
 * server can.
 */
export function readJwtClaims(token: string): Readonly<Record<string, unknown>> | undefined {
  const payload = token.split(".", 3)[1];
  if (payload === undefined) return undefined;
  try {
    const binary = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
