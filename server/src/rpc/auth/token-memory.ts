import type { Principal } from "../../domain/principal.ts";
import type { TokenVerifier } from "./token-verifier.ts";

/** Default number of tokens that are remembered. Each takes some hundred bytes, and 8 KiB at most. */
const MAX_TOKENS = 2_048;

/** Length of `Bearer` and a blank. */
const SCHEME_LENGTH = 7;

export interface TokenMemory {
  /**
   * Returns the caller of an `authorization` header that was verified before and has not expired; undefined for any
   * other.
   */
  recall(authorization: string): Principal | undefined;
  /** Verifies the token of a header, and remembers it if it is good. */
  verify(token: string, authorization: string): Promise<Principal>;
}

export interface TokenMemoryOptions {
  verifyToken: TokenVerifier;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
  maxTokens?: number | undefined;
}

/**
 * Remembers verified tokens as long as the keys stay the same, so that a caller's next calls need no cryptography.
 * Never remembers a bad token: clients that send such tokens can't grow the memory.
 */
export function createTokenMemory({ verifyToken, now, maxTokens = MAX_TOKENS }: TokenMemoryOptions): TokenMemory {
  const keyVersion = () => verifyToken.keyVersion?.();
  /** Remembered tokens, oldest first. */
  const principals = new Map<string, Principal>();
  let version: number | undefined;
  return {
    recall(authorization) {
      const current = keyVersion();
      if (current !== version) {
        principals.clear();
        version = current;
      }
      const principal = principals.get(authorization);
      return principal && now() < principal.expiresAtMs ? principal : undefined;
    },
    async verify(token, authorization) {
      const before = keyVersion();
      const principal = await verifyToken(token);
      if (before === undefined || before !== version || before !== keyVersion()) return principal;
      // Remember one spelling of a token only: otherwise one caller could fill the memory by adding blanks.
      if (authorization.length > SCHEME_LENGTH + token.length) return principal;
      if (principals.size >= maxTokens) principals.delete(principals.keys().next().value ?? "");
      principals.set(authorization, principal);
      return principal;
    },
  };
}
