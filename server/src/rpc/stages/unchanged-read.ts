import { hash } from "node:crypto";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";

type Request = Parameters<UniversalHandler>[0];

/** Largest answer that gets an entity tag, in bytes. Hashing that much takes about a millisecond. */
const MAX_TAGGED_BYTES = 1_024 * 1_024;
/** Characters of a tag, six bits each. */
const TAG_LENGTH = 22;
const OPAQUE_TAG = /"[\x21\x23-\x7e\x80-\xff]*"/g;

/**
 * Headers of an answer to a Connect GET. The answer is for its caller alone, and caches must revalidate it each time.
 */
export const READ_HEADERS = { "cache-control": "private, no-cache", vary: "Accept-Encoding, Authorization" };

/**
 * Returns the entity tag of an answer (RFC 9110, 8.8.3); undefined for a large one. The tag is weak, since it is the
 * same for every coding of the answer.
 */
export function entityTagOf(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength > MAX_TAGGED_BYTES) return undefined;
  return `W/"${hash("sha256", bytes, "base64url").slice(0, TAG_LENGTH)}"`;
}

/** Returns whether a client already has the answer with this tag (RFC 9110, 13.1.2). */
export function hasTag(ifNoneMatch: string | null | undefined, tag: string): boolean {
  if (!ifNoneMatch) return false;
  if (ifNoneMatch.trim() === "*") return true;
  const [opaque = ""] = tag.match(OPAQUE_TAG) ?? [];
  const known: readonly string[] = ifNoneMatch.match(OPAQUE_TAG) ?? [];
  return known.includes(opaque);
}

/**
 * Wraps a handler, so that an answer to a Connect GET has an entity tag, and is not sent to a client that already has
 * it. Here the tag is computed from the encoded answer.
 */
export function tagReads(handler: UniversalHandler): UniversalHandler {
  const tagged = async (request: Request): Promise<UniversalServerResponse> => {
    const response = await handler(request);
    if (request.method !== "GET" || response.status !== 200 || !response.body) return response;
    const bytes = Buffer.concat(await Array.fromAsync(response.body));
    const header = new Headers(response.header);
    for (const [name, value] of Object.entries(READ_HEADERS)) if (!header.has(name)) header.set(name, value);
    const tag = header.get("etag") ?? entityTagOf(bytes);
    if (tag !== undefined) header.set("etag", tag);
    if (tag === undefined || !hasTag(request.header.get("if-none-match"), tag))
      return { ...response, header, body: only(bytes) };
    for (const name of ["content-type", "content-length", "content-encoding"]) header.delete(name);
    return { ...response, status: 304, header, body: only(new Uint8Array()) };
  };
  return Object.assign(tagged, handler);
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}
