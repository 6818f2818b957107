import type { Compression } from "@connectrpc/connect/protocol";
import { acceptCompression } from "../../rpc/stages/compression.ts";
import { chooseCoding, codingOf } from "../../rpc/stages/content-coding.ts";

/** Smallest message that is compressed, in bytes. Compressing a smaller one costs more than it saves. */
export const MIN_CODED_BYTES = 1_024;
/** Most accept headers whose coding is remembered. Clients send the header of their library, so there are few. */
const MAX_KNOWN_HEADERS = 64;

const byName = new Map(acceptCompression.map((coding) => [coding.name, coding]));
const chosen = new Map<string, Compression | undefined>();

/** Returns the coding of a request's messages: undefined for none, null for an unknown one. */
export function requestCoding(header: string | string[] | undefined): Compression | null | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== "string") return null;
  const name = codingOf(header);
  if (name === "" || name === "identity") return undefined;
  return byName.get(name) ?? null;
}

/** Returns the coding that a client prefers for its answer; undefined for none. */
export function answerCoding(header: string | undefined): Compression | undefined {
  if (header === undefined) return undefined;
  if (chosen.has(header)) return chosen.get(header);
  const coding = byName.get(chooseCoding(header));
  if (chosen.size < MAX_KNOWN_HEADERS) chosen.set(header, coding);
  return coding;
}
