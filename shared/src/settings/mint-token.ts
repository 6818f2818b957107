import { SignJWT } from "jose";

export interface MintOptions {
  secret: Uint8Array;
  subject: string;
  scopes: readonly string[];
  /** Lifetime, in seconds. */
  ttlSeconds: number;
  issuer?: string | undefined;
  audience?: string | undefined;
  /** Returns milliseconds since the Unix epoch. Default: the system's clock. */
  now?: (() => number) | undefined;
}

/** Creates an HS256 token that a verifier with the same secret accepts. */
export function mintToken(options: MintOptions): Promise<string> {
  const { secret, subject, scopes, ttlSeconds, issuer, audience, now = Date.now } = options;
  const nowSeconds = Math.floor(now() / 1_000);
  const token = new SignJWT({ scope: scopes.join(" ") })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(subject)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + ttlSeconds);
  if (issuer !== undefined) token.setIssuer(issuer);
  if (audience !== undefined) token.setAudience(audience);
  return token.sign(secret);
}
