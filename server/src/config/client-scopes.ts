import { resolve } from "node:path";
import { fileFault } from "@rollcall/shared/file-fault";
import type { Reader } from "@rollcall/shared/settings/reader";
import type { FileSources } from "./tls.ts";

const LIST = "TLS_CLIENT_SCOPES";
const FILE = "TLS_CLIENT_SCOPES_FILE";
const EXAMPLE = "URI:spiffe://example.org/importer=users:read users:write";

export interface ClientScopesSources extends FileSources {
  /** Known scopes. */
  scopes: readonly string[];
}

/**
 * Reads the scopes of clients by an identity of their certificates. An entry has the form
 * `URI:spiffe://example.org/importer=users:read users:write`. The setting separates entries by commas; the file has one
 * a line, and comments behind `#`. Adds faults to `problems`.
 */
export function parseClientScopes(
  read: Reader,
  { rootDir, readFile, scopes }: ClientScopesSources,
  problems: string[],
): Record<string, readonly string[]> | undefined {
  const list = read.list(LIST);
  const path = read.text(FILE);
  if (list.length === 0 && path === undefined) return undefined;
  for (const name of [LIST, FILE]) {
    if (read.text(name) && !read.text("TLS_CLIENT_CA_FILE")) problems.push(`${name}: needs TLS_CLIENT_CA_FILE`);
  }
  if (list.length > 0 && path !== undefined) problems.push(`${FILE}: must not be set together with ${LIST}`);
  const entries = list.map((text) => ({ text, place: `${LIST}: ` }));
  try {
    const lines = path === undefined ? [] : readFile(resolve(rootDir, path)).split(/\r\n|\n|\r/);
    for (const [index, line] of lines.entries()) {
      const text = line.replace(/^\uFEFF/, "").trim();
      if (text !== "" && !text.startsWith("#")) entries.push({ text, place: `${FILE}: ${path} line ${index + 1}: ` });
    }
  } catch (error) {
    problems.push(`${FILE}: ${path} ${fileFault(error)}`);
  }
  const scopesOf: Record<string, readonly string[]> = Object.create(null);
  for (const { text, place } of entries) {
    const entry = parseEntry(text, scopes);
    if (typeof entry === "string") problems.push(`${place}${entry}`);
    else if (entry.identity in scopesOf) problems.push(`${place}${entry.identity} is listed already`);
    else scopesOf[entry.identity] = entry.scopes;
  }
  return scopesOf;
}

/** Returns the parsed entry or, for a text that is not an entry, a description of the fault. */
function parseEntry(text: string, known: readonly string[]): { identity: string; scopes: string[] } | string {
  // A URI may contain an equals sign, and scopes do not: the last one separates them.
  const [, kind, name = "", list = ""] = /^(URI|DNS|email):(\S+?)\s*=([^=]*)$/.exec(text) ?? [];
  if (kind === undefined) {
    return `${JSON.stringify(text)} is not an identity, of the kind URI, DNS or email, and its scopes, such as ${EXAMPLE}`;
  }
  if (name.includes("*")) return `${name} has a wildcard; an identity has to match to the letter`;
  const scopes = list.split(/\s+/).filter((scope) => scope !== "");
  const unknown = scopes.find((scope) => !known.includes(scope));
  if (unknown !== undefined) return `there is no scope ${JSON.stringify(unknown)}; there are ${known.join(", ")}`;
  if (scopes.length === 0) return `${kind}:${name} has no scopes; there are ${known.join(", ")}`;
  return { identity: `${kind}:${kind === "DNS" ? name.toLowerCase() : name}`, scopes };
}
