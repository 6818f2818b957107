import type { Reader } from "./reader.ts";

const MIN_SECRET_BYTES = 32;

/** Settings that sign tokens, and claims that tokens must have. */
export interface SigningSettings {
  readonly secrets: { readonly secret: Uint8Array; readonly previousSecret: Uint8Array | undefined } | undefined;
  /**
   * Address of an identity provider's keys, if the provider signs the tokens. Undefined if they are signed with a
   * secret, and if neither is set.
   */
  readonly jwksUrl: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

/** Reads which key signs tokens. Adds faults to `problems`. */
export function parseSigning(read: Reader, problems: string[]): SigningSettings {
  const issuer = read.text("AUTH_ISSUER");
  const audience = read.text("AUTH_AUDIENCE");
  const secret = read.text("AUTH_SECRET");
  const jwksUrl = read.text("AUTH_JWKS_URL");
  const previous = read.text("AUTH_SECRET_PREVIOUS");
  if (secret !== undefined && jwksUrl !== undefined) {
    problems.push("AUTH_JWKS_URL: must not be set together with AUTH_SECRET");
    return { secrets: undefined, jwksUrl: undefined, issuer, audience };
  }
  if (previous !== undefined && secret === undefined) problems.push("AUTH_SECRET_PREVIOUS: needs AUTH_SECRET");
  if (secret === undefined) return { secrets: undefined, jwksUrl, issuer, audience };
  if (secret === previous) problems.push("AUTH_SECRET_PREVIOUS: must not be the same as AUTH_SECRET");
  const secrets = {
    secret: secretBytes("AUTH_SECRET", secret, problems),
    previousSecret: previous === undefined ? undefined : secretBytes("AUTH_SECRET_PREVIOUS", previous, problems),
  };
  return { secrets, jwksUrl: undefined, issuer, audience };
}

function secretBytes(name: string, secret: string, problems: string[]): Uint8Array {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.length < MIN_SECRET_BYTES) problems.push(`${name}: must have at least ${MIN_SECRET_BYTES} bytes`);
  return bytes;
}
