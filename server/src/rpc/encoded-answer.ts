/**
 * Answer of a handler that writes its own bytes in protobuf's format. Its other properties are the fields of its
 * message, for carriers and formats that want one.
 */
export abstract class EncodedAnswer {
  /** Returns the bytes that `toBinary` makes of the message. */
  abstract toBytes(): Uint8Array;
}
