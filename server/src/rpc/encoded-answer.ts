/**
 * Answer of a handler that writes itself in protobuf's formats. Its other properties are the fields of its
 * message, for carriers and formats that want one.
 */
export abstract class EncodedAnswer {
  /** Returns the bytes that `toBinary` makes of the message. */
  abstract toBytes(): Uint8Array;
  /** Returns the text that `toJsonString` makes of the message by default. */
  abstract toJsonText(): string;
}
