import type { OutgoingHttpHeaders } from "node:http";
import {
  create,
  type DescMessage,
  type DescMethod,
  type JsonReadOptions,
  type JsonWriteOptions,
  type Message,
  type MessageInitShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { type Compression, createMethodSerializationLookup, createMethodUrl } from "@connectrpc/connect/protocol";
import { createQuickBinary, type QuickBinary } from "@rollcall/shared/quick-binary";
import { toRequestFault } from "../../interceptors/response-faults.ts";
import { checkWellFormed } from "../../interceptors/well-formed.ts";
import { toBroken } from "./faults.ts";
import type { ClientForm, HeaderInit } from "./forms.ts";

/** Options that all calls of a transport share. */
export interface WireOptions {
  /** Base of the methods' URLs. */
  readonly baseUrl: string;
  readonly useBinaryFormat: boolean;
  readonly jsonOptions: Partial<JsonReadOptions & JsonWriteOptions> | undefined;
  readonly useHttpGet: boolean;
  readonly acceptCompression: Compression[];
  readonly sendCompression: Compression | undefined;
  /** Smallest message that is compressed, in bytes. */
  readonly compressMinBytes: number;
  readonly readMaxBytes: number;
  readonly writeMaxBytes: number;
}

/** Values that all calls of a method share. */
export class MethodPlan {
  readonly method: DescMethod;
  readonly form: ClientForm;
  readonly options: WireOptions;
  readonly url: string;
  readonly path: string;
  /** Headers of a call whose caller sets none, without its deadline. */
  readonly headers: Readonly<OutgoingHttpHeaders>;
  readonly contentType: string;
  readonly usesGet: boolean;
  readonly #holdsBytes: boolean;
  readonly #codec: ReturnType<typeof createMethodSerializationLookup>;
  readonly #quickBinary: QuickBinary | undefined;

  constructor(method: DescMethod, form: ClientForm, options: WireOptions) {
    this.method = method;
    this.form = form;
    this.options = options;
    this.url = createMethodUrl(options.baseUrl, method);
    this.path = pathOf(this.url);
    this.headers = this.listHeaders(undefined);
    this.contentType = String(this.headers["content-type"]);
    const isRead = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
    this.usesGet = options.useHttpGet && form.canGet && isRead;
    this.#holdsBytes = holdsBytes(method.output);
    this.#codec = createMethodSerializationLookup(method, undefined, options.jsonOptions, options);
    if (options.useBinaryFormat) this.#quickBinary = createQuickBinary(method.output);
  }

  /** Returns the headers of a request, including the caller's own. */
  makeHeader(init: HeaderInit): Headers {
    return this.form.makeHeader(this.method.methodKind, init, this.options);
  }

  /**
   * Returns the same headers as {@link makeHeader} without creating `Headers`. Returns undefined if that is not
   * possible, for example for names that the protocol sets itself.
   */
  copyHeaders(init: HeaderInit): OutgoingHttpHeaders | undefined {
    const headers = { ...this.headers };
    if (init === undefined) return headers;
    if (Symbol.iterator in init) return undefined;
    for (const [name, value] of Object.entries<string>(init as Record<string, string>)) {
      const known = name.toLowerCase();
      if (headers[known] !== undefined || value.trim() !== value) return undefined;
      headers[known] = value;
    }
    return headers;
  }

  /** Returns the headers that {@link makeHeader} makes. */
  listHeaders(init: HeaderInit): OutgoingHttpHeaders {
    return Object.fromEntries(this.makeHeader(init));
  }

  /** @throws ConnectError for a message that can't be sent. */
  serialize(init: MessageInitShape<DescMessage>): Uint8Array {
    const { useBinaryFormat } = this.options;
    const { input } = this.method;
    const message = create(input, init);
    let bytes: Uint8Array;
    try {
      bytes = this.#codec.getI(useBinaryFormat).serialize(message as never);
    } catch (error) {
      throw toRequestFault(error);
    }
    if (!useBinaryFormat || mayBeIllFormed(bytes)) checkWellFormed(input, message);
    return bytes;
  }

  /** @throws ConnectError internal for bytes that are not a message. */
  parse(bytes: Uint8Array): Message {
    const message = this.#quickBinary?.(bytes);
    if (message) return message;
    try {
      // The message refers to slices of the bytes that it is parsed from. They may be a small part of a larger buffer,
      // which would stay in memory.
      const isSlice = this.#holdsBytes && 2 * bytes.byteLength < bytes.buffer.byteLength;
      return this.#codec.getO(this.options.useBinaryFormat).parse(isSlice ? new Uint8Array(bytes) : bytes);
    } catch (error) {
      throw toBroken(error);
    }
  }

  /** Returns whether a message of this size is sent compressed. */
  isCompressed(bytes: Uint8Array): boolean {
    const { sendCompression, compressMinBytes } = this.options;
    return sendCompression !== undefined && bytes.byteLength >= compressMinBytes;
  }
}

/** Returns whether messages of this type have fields of bytes, either directly or in nested messages. */
function holdsBytes({ fields }: DescMessage, seen = new Set<DescMessage>()): boolean {
  return fields.some((field) => {
    if (field.scalar === ScalarType.BYTES) return true;
    if (!field.message || seen.has(field.message)) return false;
    seen.add(field.message);
    return holdsBytes(field.message, seen);
  });
}

export function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** U+FFFD in UTF-8. */
const REPLACEMENT = Buffer.from("\ufffd");
const [FIRST_BYTE] = REPLACEMENT;
/** Size up to which a loop is faster than a search, in bytes. */
const SHORT_BYTES = 256;

/** Returns whether a binary message may contain U+FFFD in place of half of a surrogate pair. */
function mayBeIllFormed(bytes: Uint8Array): boolean {
  if (bytes.byteLength > SHORT_BYTES) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(REPLACEMENT);
  }
  for (let index = 0; index < bytes.byteLength; index++) if (bytes[index] === FIRST_BYTE) return true;
  return false;
}
