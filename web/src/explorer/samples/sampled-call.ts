import type { DescMessage, DescMethod, JsonValue } from "@bufbuild/protobuf";
import type { Via } from "../vias.ts";

/** Call that samples repeat. It never holds a token: samples read that from $ROLLCALL_TOKEN. */
export interface SampledCall {
  /** Address of the server, such as `https://example.com/rollcall`. */
  readonly address: string;
  readonly method: DescMethod;
  readonly via: Via;
  /** Messages to send; a single one unless the method takes a stream. */
  readonly bodies: readonly JsonValue[];
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly timeoutMs: number | undefined;
  readonly withToken: boolean;
  /** Whether the server describes itself to tools (reflection). */
  readonly isReflected: boolean;
}

/** Makers of samples, by tool or language. */
export type Samples = Readonly<Record<string, (call: SampledCall) => string>>;

/** Returns `host:port` of the server. */
export function authorityOf(address: string): string {
  const { hostname, port, protocol } = new URL(address);
  return `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;
}

/** Returns a message's name within its package, with its outer types. */
export function localNameOf({ typeName, file }: DescMessage, separator: string): string {
  const prefix = file.proto.package === "" ? "" : `${file.proto.package}.`;
  return typeName.slice(prefix.length).replaceAll(".", separator);
}

/** Writes JSON as a string literal: unchanged between quotes if possible, or else with escapes that JSON has too. */
export function literalOf(body: JsonValue, quote: "'" | "`"): string {
  const text = JSON.stringify(body);
  return text.includes(quote) || text.includes("\\") ? JSON.stringify(text) : quote + text + quote;
}
