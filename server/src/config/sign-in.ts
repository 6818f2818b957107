import type { Reader } from "@rollcall/shared/settings/reader";
import type { SignInOptions } from "@rollcall/shared/sign-in-options";
import type { AuthConfig } from "./auth.ts";
import { isLoopback } from "./host.ts";

export type { SignInOptions };

/** Parameters that the web app sets itself, or that a public client must not have. */
const OWN_PARAMETERS =
  /^(?:client_.*|response_.*|redirect_uri|scope|state|nonce|code.*|grant_type|refresh_token|request.*|id_token_hint)$/;

/**
 * Reads how people sign in to the web app. OIDC_CLIENT_ID is its client at the provider of AUTH_ISSUER.
 *
 * @param scopes Scopes to ask for by default, beside `openid`.
 */
export function parseSignIn(
  read: Reader,
  { auth, scopes }: { auth: AuthConfig; scopes: readonly string[] },
  problems: string[],
): SignInOptions {
  const { issuer } = auth;
  const clientId = read.text("OIDC_CLIENT_ID");
  const scope = parseScope(read.text("OIDC_SCOPES") ?? ["openid", ...scopes].join(" "), problems);
  const parameters = parseParameters(read.text("OIDC_PARAMETERS") ?? "", problems);
  for (const name of ["OIDC_SCOPES", "OIDC_PARAMETERS"]) {
    if (read.text(name) !== undefined && clientId === undefined) problems.push(`${name}: needs OIDC_CLIENT_ID`);
  }
  if (clientId === undefined) {
    if (!auth.keys) return { kind: "link" };
    return "jwksUrl" in auth.keys ? { kind: "token", issuer } : { kind: "token" };
  }
  if (!read.text("AUTH_JWKS_URL")) problems.push("OIDC_CLIENT_ID: needs AUTH_JWKS_URL and AUTH_ISSUER");
  else if (issuer !== undefined && !isIssuerUrl(issuer)) {
    problems.push("AUTH_ISSUER: must be an https URL without a query when OIDC_CLIENT_ID is set");
  }
  return { kind: "provider", issuer: issuer ?? "", clientId, scope, parameters };
}

/** Returns whether a text can be an issuer of OpenID Connect (Discovery 1.0, 3), or one on this machine. */
function isIssuerUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || /[?#@]/.test(text)) return false;
  const isLocal = url.protocol === "http:" && isLoopback(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  return url.protocol === "https:" || isLocal;
}

function parseScope(text: string, problems: string[]): string {
  const names = text.split(/\s+/);
  // Characters of RFC 6749, 3.3.
  if (!names.every((name) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name)) || !names.includes("openid")) {
    problems.push("OIDC_SCOPES: must be scopes separated by spaces, with openid among them");
  }
  return names.join(" ");
}

function parseParameters(text: string, problems: string[]): Record<string, string> {
  const pairs = [...new URLSearchParams(text)];
  const names = new Set(pairs.map(([name]) => name));
  if (pairs.some(([name, value]) => name === "" || value === "") || names.size < pairs.length) {
    problems.push("OIDC_PARAMETERS: must be as in a query, such as resource=https://api.example.com, each name once");
  }
  for (const name of names) {
    if (OWN_PARAMETERS.test(name)) problems.push(`OIDC_PARAMETERS: must not have ${JSON.stringify(name)}`);
  }
  return Object.fromEntries(pairs);
}
