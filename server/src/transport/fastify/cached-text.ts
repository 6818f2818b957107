import { acceptCompression } from "../../rpc/stages/compression.ts";
import { chooseCoding } from "../../rpc/stages/content-coding.ts";
import { entityTagOf } from "../../rpc/stages/unchanged-read.ts";

/** A text, or bytes, that do not change. Each coding of them is computed at most once. */
export class CachedText {
  readonly tag: string | undefined;
  readonly #bytes: Uint8Array;
  readonly #compressed = new Map<string, Promise<Uint8Array>>();

  constructor(content: string | Uint8Array) {
    this.#bytes = typeof content === "string" ? Buffer.from(content) : content;
    this.tag = entityTagOf(this.#bytes);
  }

  /** Returns the bytes in the coding that a client prefers, and the name of the coding, if there is one. */
  async encodedFor(accepted: string): Promise<{ bytes: Uint8Array; coding?: string }> {
    const coding = acceptCompression.find(({ name }) => name === chooseCoding(accepted));
    if (!coding) return { bytes: this.#bytes };
    const { name } = coding;
    const bytes = this.#compressed.get(name) ?? coding.compress(this.#bytes);
    this.#compressed.set(name, bytes);
    return { bytes: await bytes, coding: name };
  }
}
