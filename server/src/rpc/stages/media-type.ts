import type { UniversalHandler } from "@connectrpc/connect/protocol";

/** `token` and `quoted-string` of RFC 9110, 5.6. */
const TOKEN = "[!#$%&'*+.^_`|~\\da-z-]+";
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
/**
 * A type and its parameters. Each parameter may be missing after its semicolon (RFC 9110, 5.6.6). Each blank can match
 * at one position of the pattern only; with two, a header of semicolons and blanks would take exponential time.
 */
const MEDIA_TYPE = new RegExp(
  `^[ \\t]*(${TOKEN}/${TOKEN})((?:[ \\t]*;(?:[ \\t]*${TOKEN}=(?:${TOKEN}|${QUOTED}))?)*)[ \\t]*$`,
  "i",
);
const PARAMETER = new RegExp(`(${TOKEN})=(?:(${TOKEN})|(${QUOTED}))`, "gi");
/** Both spellings are in use, but only the first is registered. */
const UTF_8 = /^utf-?8$/i;

/**
 * Returns the media type without its parameters, in lower case. Parameters do not change the meaning of a type (RFC
 * 9110, 8.3.1), except for a charset that is not UTF-8.
 *
 * @returns undefined for a text that is no media type, or names another charset.
 */
export function mediaTypeOf(contentType: string): string | undefined {
  const [, type, parameters = ""] = MEDIA_TYPE.exec(contentType) ?? [];
  if (type === undefined) return undefined;
  for (const [, name, token, quoted] of parameters.matchAll(PARAMETER)) {
    const value = token ?? quoted?.slice(1, -1).replace(/\\(.)/g, "$1") ?? "";
    if (name?.toLowerCase() === "charset" && !UTF_8.test(value)) return undefined;
  }
  return type.toLowerCase();
}

/** Returns whether a media type is gRPC's or gRPC-Web's, whose clients read a status from headers or trailers. */
export function isGrpc(mediaType: string): boolean {
  return /^application\/grpc(?:-web(?:-text)?)?(?:\+.+)?$/.test(mediaType);
}

/**
 * Wraps a handler that knows media types by their plain names. Passes on other headers as they are, for the handler to
 * refuse.
 */
export function normalizeMediaType(handler: UniversalHandler): UniversalHandler {
  const normalized = (request: Parameters<UniversalHandler>[0]) => {
    const type = mediaTypeOf(request.header.get("content-type") ?? "");
    if (type !== undefined) request.header.set("content-type", type);
    return handler(request);
  };
  return Object.assign(normalized, handler);
}
