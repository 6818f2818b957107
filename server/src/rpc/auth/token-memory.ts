import type { Principal } from "../../domain/principal.ts";
import type { TokenVerifier } from "./token-verifier.ts";

/** Tokens that are remembered, by default: some hundred bytes each, 8 KiB at most. */
const MAX_TOKENS = 2_048;

export interface TokenMemory {
  /** The caller of an `authorization` header that was verified before, and has not expired; undefined for any other. */
  recall(authorization: string): Principal | undefined;
  /** Verifies the token of a header, which is remembered when the token is good. */
  verify(token: string, authorization: string): Promise<Principal>;
}

export interface TokenMemoryOptions {
  verifyToken: TokenVerifier;
  /** Milliseconds since the Unix epoch. */
  now(): number;
  maxTokens?: number | undefined;
}

/**
 * Remembers verified tokens, so that a caller's next calls need no cryptography, for as
 * long as the keys stay the same. A token that is not good is never remembered: whoever
 * sends such tokens can't grow the memory.
 */
export function createTokenMemory({ verifyToken, now, maxTokens = MAX_TOKENS }: TokenMemoryOptions): TokenMemory {
  const keyVersion = () => verifyToken.keyVersion?.();
  /** The token that was remembered last comes last. */
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
      if (principals.size >= maxTokens) principals.delete(principals.keys().next().value ?? "");
      principals.set(authorization, principal);
      return principal;
    },
  };
}
