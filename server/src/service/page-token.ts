import { createHmac, timingSafeEqual } from "node:crypto";
import { InvalidArgumentError } from "../domain/errors.ts";
import type { Cursor } from "../domain/user-order.ts";

/** Written into each MAC: places of another form, as those of the first version, are no tokens. */
const VERSION = 2;
/** 128 bits: far beyond guessing, and the token stays short. */
const MAC_BYTES = 16;

/**
 * Encodes page tokens (AIP-158): a place in the list, with a MAC that binds it to its query. Callers can't make up a
 * token, nor use one for another query.
 */
export class PageTokens {
  readonly #key: Uint8Array;

  /** @param key 32 random bytes. Tokens are valid as long as the key is kept. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** @param query Everything that the list depends on, except the size of its pages. */
  encode({ value, id }: Cursor, query: string): string {
    const place = JSON.stringify([value, id]);
    return Buffer.concat([this.#mac(place, query), Buffer.from(place)]).toString("base64url");
  }

  /** @throws InvalidArgumentError unless {@link encode} made the token for this query. */
  decode(token: string, query: string): Cursor {
    const bytes = Buffer.from(token, "base64url");
    const mac = bytes.subarray(0, MAC_BYTES);
    const place = bytes.toString("utf8", MAC_BYTES);
    // Decoding skips characters that are not base64url, so compare with the original.
    const isCanonical = bytes.toString("base64url") === token;
    if (!isCanonical || mac.length !== MAC_BYTES || !timingSafeEqual(mac, this.#mac(place, query))) {
      const message = "invalid page token";
      throw new InvalidArgumentError(message, [{ field: "page_token", description: message }]);
    }
    const [value, id] = JSON.parse(place) as [number | string, string];
    return { value, id };
  }

  #mac(place: string, query: string): Buffer {
    return createHmac("sha256", this.#key)
      .update(JSON.stringify([VERSION, place, query]))
      .digest()
      .subarray(0, MAC_BYTES);
  }
}
