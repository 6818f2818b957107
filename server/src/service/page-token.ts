import { InvalidArgumentError } from "../domain/errors.ts";
import type { Cursor } from "../domain/user-order.ts";
import { fromBase64Url, Seal } from "./seal.ts";

/** Tokens of another version, such as the first, are invalid. */
const VERSION = 2;

/** Encodes page tokens (AIP-158): a place in the list, bound to its query. */
export class PageTokens {
  readonly #seal: Seal;

  /** @param key 32 random bytes. Tokens are valid as long as the key is kept. */
  constructor(key: Uint8Array) {
    this.#seal = new Seal(key, VERSION);
  }

  /** @param query Everything that the list depends on, except the size of its pages. */
  encode({ value, id }: Cursor, query: string): string {
    return this.#seal.close(JSON.stringify([value, id]), query).toString("base64url");
  }

  /** @throws InvalidArgumentError unless {@link encode} made the token for this query. */
  decode(token: string, query: string): Cursor {
    const bytes = fromBase64Url(token);
    const place = bytes && this.#seal.open(bytes, query);
    if (place === undefined) {
      const description =
        "is not one that this version of the server has sent for this list: begin with its first page";
      throw new InvalidArgumentError("invalid page token", [{ field: "page_token", description }]);
    }
    const [value, id] = JSON.parse(place) as [number | string, string];
    return { value, id };
  }
}
