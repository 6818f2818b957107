/** A person in the directory. Times are milliseconds since the Unix epoch. */
export interface User {
  /** UUIDv7 (RFC 9562). */
  readonly id: string;
  /** E-mail as it was given; unique by {@link searchKey}. */
  readonly email: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** 1 when created; each change adds one. */
  readonly version: number;
}

/** Fields of a user that its caller chooses. */
export interface UserFields {
  readonly email: string;
  readonly name: string;
}

/** Matches a text whose search key is simply its lower case; most are like that. */
const IS_ASCII = /^[ -~]*$/;

/**
 * Returns the form in which e-mails and names are compared. It is equal for texts that are a canonical caseless match
 * (Unicode 17.0, 3.13, D145), whatever the language. The dotless ı counts as an i too, since both are I in capitals.
 * Compatibility forms stay apart: a full-width Ａ matches ａ, but no plain a.
 *
 * Lower case comes first, for the capital ẞ, which has no other capital. Upper case follows, so that letters with two
 * small forms, such as the Greek sigma, become one. Both need decomposed text, since a small letter can lack a capital
 * of its own (ΐ). The result is composed again.
 */
export function searchKey(text: string): string {
  if (IS_ASCII.test(text)) return text.toLowerCase();
  const folded = text.normalize("NFD").toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");
  return folded.normalize("NFC");
}

/** Returns a user's etag (AIP-154): a strong entity-tag (RFC 9110, 8.8.3) of its version. */
export function etagOf(user: Pick<User, "version">): string {
  return `"${user.version}"`;
}

/**
 * Returns the version that an etag stands for. An etag that this service never issued stands for version 0, which no
 * user has.
 */
export function versionOf(etag: string): number {
  const match = /^"([1-9]\d{0,15})"$/.exec(etag);
  return match ? Number(match[1]) : 0;
}
