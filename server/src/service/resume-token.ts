import { InvalidArgumentError, OtherDatabaseError } from "../domain/errors.ts";
import type { ChangePlace } from "../domain/logged-change.ts";
import { fromBase64Url, Seal } from "./seal.ts";

/** First byte of each resume token. Other tokens begin with it only by chance. */
const MARK = 0x77;
const EPOCH_BYTES = 8;
const PLACE_START = 1 + EPOCH_BYTES + 16;

/**
 * Encodes resume tokens: a place in the log of changes, bound to its filter, with the log's epoch. The epoch is
 * readable without the key. A token of another database, which has another epoch, can therefore be told apart from a
 * forged one.
 */
export class ResumeTokens {
  readonly #seal: Seal;

  /** @param key 32 random bytes. Tokens are valid as long as the key is kept. */
  constructor(key: Uint8Array) {
    this.#seal = new Seal(key, "resume");
  }

  /** @param epoch 16 hexadecimal digits. */
  encode(epoch: string, place: ChangePlace, filter: string): string {
    const sealed = this.#seal.close(place, epoch + filter);
    const bytes = Buffer.allocUnsafe(1 + EPOCH_BYTES + sealed.byteLength);
    bytes[0] = MARK;
    bytes.write(epoch, 1, "hex");
    sealed.copy(bytes, 1 + EPOCH_BYTES);
    return bytes.toString("base64url");
  }

  /**
   * @param epoch Present epoch of the log.
   * @throws OtherDatabaseError for a token of another epoch.
   * @throws InvalidArgumentError for a token that {@link encode} did not make, or made for another filter.
   */
  decode(token: string, epoch: string, filter: string): ChangePlace {
    const bytes = fromBase64Url(token);
    if (bytes?.[0] !== MARK || !/^[\da-z]{1,64}$/.test(bytes.toString("latin1", PLACE_START))) throw invalid();
    if (bytes.toString("hex", 1, 1 + EPOCH_BYTES) !== epoch) throw new OtherDatabaseError();
    const place = this.#seal.open(bytes.subarray(1 + EPOCH_BYTES), epoch + filter);
    if (place === undefined) throw invalid();
    return place;
  }
}

function invalid(): InvalidArgumentError {
  const description = "is not one that this server has sent, or not for this filter";
  return new InvalidArgumentError("invalid resume token", [{ field: "resume_token", description }]);
}
