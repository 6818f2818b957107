import { createPublicKey, type JsonWebKeyInput, type KeyObject } from "node:crypto";
import { keySetLimits } from "../../limits.ts";
import { isObject } from "../is-object.ts";

/**
 * Accepted signature algorithms, each with the kind of key it needs (RFC 7518, 3.1; RFC 8037, 3.1; RFC 9864, 2.2). None
 * uses a shared secret: a key set is public, so anybody could sign with a secret in it.
 */
const KEY_KINDS: Readonly<Record<string, string>> = {
  RS256: "RSA",
  RS384: "RSA",
  RS512: "RSA",
  PS256: "RSA",
  PS384: "RSA",
  PS512: "RSA",
  ES256: "EC P-256",
  ES384: "EC P-384",
  ES512: "EC P-521",
  EdDSA: "OKP Ed25519",
  Ed25519: "OKP Ed25519",
};
const KINDS: ReadonlySet<string> = new Set(Object.values(KEY_KINDS));

/** Algorithms of the tokens that a key set can verify. */
export const KEY_SET_ALGORITHMS: readonly string[] = Object.keys(KEY_KINDS);

/** Smallest RSA key (RFC 7518, 3.3 and 3.5). */
const MIN_RSA_BITS = 2_048;

/** Public key of a key set, for signatures. */
export interface VerificationKey {
  readonly kid: string | undefined;
  readonly kind: string;
  /** The only algorithm that the key is for; any of its kind when undefined. */
  readonly alg: string | undefined;
  readonly key: KeyObject;
}

export interface KeySet {
  readonly keys: readonly VerificationKey[];
  /** Keys that are broken or must not be used, each with the reason. For the log. */
  readonly leftOut: readonly { readonly kid: string | undefined; readonly reason: string }[];
}

/**
 * Returns the signature keys of a key set (RFC 7517, 5). Skips keys for other uses, of unknown kinds, and broken ones,
 * so that one bad key does not spoil the others.
 *
 * @throws Error if this is no key set, or has no usable key.
 */
export function parseKeySet(json: unknown): KeySet {
  const entries = isObject(json) ? json.keys : undefined;
  if (!Array.isArray(entries)) throw new Error("the answer is not a key set (RFC 7517)");
  const keys: VerificationKey[] = [];
  const leftOut: { kid: string | undefined; reason: string }[] = [];
  for (const entry of entries.slice(0, keySetLimits.maxKeys)) {
    try {
      const key = parseKey(entry);
      if (key) keys.push(key);
    } catch (error) {
      const kid = isObject(entry) && typeof entry.kid === "string" ? entry.kid.slice(0, 100) : undefined;
      leftOut.push({ kid, reason: (error as Error).message });
    }
  }
  if (entries.length > keySetLimits.maxKeys)
    leftOut.push({ kid: undefined, reason: `the set has more than ${keySetLimits.maxKeys} keys` });
  if (keys.length === 0) {
    const [first] = leftOut;
    throw new Error(`the key set has no key that can be used${first ? `: the first one ${first.reason}` : ""}`);
  }
  return { keys, leftOut };
}

/** Returns the keys that may have made a signature by the algorithm, whatever their `kid`. */
export function keysFor(alg: string, keys: readonly VerificationKey[]): VerificationKey[] {
  const kind = Object.hasOwn(KEY_KINDS, alg) ? KEY_KINDS[alg] : undefined;
  // EdDSA and Ed25519 mean the same here: no other curve is accepted.
  const isSameAlg = (other: string) => other === alg || kind === "OKP Ed25519";
  return keys.filter((key) => key.kind === kind && (key.alg === undefined || isSameAlg(key.alg)));
}

/**
 * Reads a key for signatures. Returns undefined for a key of another use or an unknown kind.
 *
 * @throws Error for a bad one.
 */
function parseKey(jwk: unknown): VerificationKey | undefined {
  if (!isObject(jwk)) throw new Error("is not an object");
  const { kty, crv, kid, alg, use, key_ops: operations } = jwk;
  if (kty === "oct") throw new Error("is a symmetric key, which a key set must not have");
  if ("d" in jwk) throw new Error("is a private key, which everybody can read");
  if (kid !== undefined && typeof kid !== "string") throw new Error("has a kid that is not text");
  const kind = kty === "RSA" ? kty : `${kty} ${crv}`;
  if (!KINDS.has(kind)) return undefined;
  if (use !== undefined && use !== "sig") return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return undefined;
  if (alg !== undefined && !(typeof alg === "string" && Object.hasOwn(KEY_KINDS, alg))) return undefined;
  return { kid, kind, alg, key: importKey(jwk) };
}

function importKey(jwk: JsonWebKeyInput["key"]): KeyObject {
  const key = tryImport(jwk);
  if (!key) throw new Error("can't be imported");
  const { modulusLength = MIN_RSA_BITS } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS) throw new Error(`is an RSA key of less than ${MIN_RSA_BITS} bits`);
  return key;
}

function tryImport(jwk: JsonWebKeyInput["key"]): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: "jwk" });
  } catch {
    return undefined;
  }
}
