import { SignJWT } from "jose";

export interface MintOptions {
  secret: Uint8Array;
  subject: string;
  scopes: readonly string[];
  /** Lifetime, in seconds. */
  ttlSeconds: number;
  issuer?: string | undefined;
  audience?: string | undefined;
}

/** Creates an HS256 token that a verifier with the same secret accepts. */
export function mintToken({ secret, subject, scopes, ttlSeconds, issuer, audience }: MintOptions): Promise<string> {
  const token = new SignJWT({ scope: scopes.join(" ") })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(`${ttlSeconds}s`);
  if (issuer !== undefined) token.setIssuer(issuer);
  if (audience !== undefined) token.setAudience(audience);
  return token.sign(secret);
}
