/**
 * Answer of a handler that encodes itself in protobuf's formats. Its other properties are the fields of its message,
 * for carriers and formats that need a message.
 */
export abstract class EncodedAnswer {
  /** Returns the same bytes as `toBinary` of the message. */
  abstract toBytes(): Uint8Array;
  /** Returns the same text as `toJsonString` of the message, with default options. */
  abstract toJsonText(): string;
}
