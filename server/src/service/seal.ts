import { createHmac, timingSafeEqual } from "node:crypto";

/** 128 bits: far beyond guessing, and still short. */
const MAC_BYTES = 16;

/**
 * Turns texts into tokens, with a MAC that binds each to its context: callers can neither make one up nor use it
 * elsewhere.
 */
export class Seal {
  readonly #key: Uint8Array;
  readonly #purpose: string | number;

  /**
   * @param key 32 random bytes. Tokens are valid as long as the key is kept.
   * @param purpose Part of each MAC: tokens of another purpose are invalid.
   */
  constructor(key: Uint8Array, purpose: string | number) {
    this.#key = key;
    this.#purpose = purpose;
  }

  close(text: string, context: string): Buffer {
    return Buffer.concat([this.#mac(text, context), Buffer.from(text)]);
  }

  /** Returns the text, or undefined unless {@link close} made the bytes in this context. */
  open(bytes: Buffer, context: string): string | undefined {
    const mac = bytes.subarray(0, MAC_BYTES);
    const text = bytes.toString("utf8", MAC_BYTES);
    return mac.length === MAC_BYTES && timingSafeEqual(mac, this.#mac(text, context)) ? text : undefined;
  }

  #mac(text: string, context: string): Buffer {
    return createHmac("sha256", this.#key)
      .update(JSON.stringify([this.#purpose, text, context]))
      .digest()
      .subarray(0, MAC_BYTES);
  }
}

/** Decodes base64url strictly; Node.js's decoder would skip invalid characters. */
export function fromBase64Url(token: string): Buffer | undefined {
  const bytes = Buffer.from(token, "base64url");
  return bytes.toString("base64url") === token ? bytes : undefined;
}
