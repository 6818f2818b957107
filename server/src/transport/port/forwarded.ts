import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { addressKey } from "./addresses.ts";

/** The client of a request: the other end of its connection, or the one that a trusted proxy names. */
export interface Caller {
  /** Address for the log, as `192.0.2.1:4711`. The port is missing where a proxy names none. */
  readonly peer: string;
  /** Address that limits count by, an IPv6 one as its /64. Undefined for a trusted proxy, to which none apply. */
  readonly address: string | undefined;
  /** Other end of the connection, if it is a trusted proxy and names another caller. */
  readonly proxy?: string | undefined;
}

/** Entries of a forwarding header that are looked at. Each is a proxy that is trusted, and nobody has as many. */
const MAX_HOPS = 16;

/** Callers behind the connections of one trusted proxy. */
export class ForwardedCallers {
  readonly #proxy: Caller;
  readonly #isTrusted: (address: string) => boolean;
  /** The last header and whom it names: a proxy that keeps connections apart sends the same one each time. */
  #text: string | undefined;
  #caller: Caller;

  constructor(proxy: Caller, isTrusted: (address: string) => boolean) {
    this.#proxy = proxy;
    this.#isTrusted = isTrusted;
    this.#caller = proxy;
  }

  /**
   * Returns the caller by `X-Forwarded-For` or, without it, by `Forwarded` (RFC 7239). Both are read from their ends, where
   * each proxy adds the address that its request came from: the first one that is not a trusted proxy's is the caller.
   * Whatever stands ahead of that may be made up. An entry that is no address leaves its proxy as the caller.
   */
  callerOf({ "x-forwarded-for": addresses, forwarded }: IncomingHttpHeaders): Caller {
    const text = addresses === undefined ? forwarded : String(addresses);
    if (text === undefined) return this.#proxy;
    if (text === this.#text) return this.#caller;
    this.#text = text;
    this.#caller = this.#read(text, addresses === undefined ? nodeOfPairs : parseNode);
    return this.#caller;
  }

  #read(text: string, read: (entry: string) => Node | undefined): Caller {
    let caller = this.#proxy;
    let rest: string | undefined = text;
    for (let hops = 0; rest !== undefined && hops < MAX_HOPS; hops++) {
      const [entry, before] = lastEntry(rest);
      const node = read(entry.trim());
      if (!node) break;
      const isTrusted = this.#isTrusted(node.address);
      const address = isTrusted ? undefined : addressKey(node.address);
      caller = { peer: formatNode(node), address, proxy: this.#proxy.peer };
      if (!isTrusted) break;
      rest = before;
    }
    return caller;
  }
}

interface Node {
  readonly address: string;
  readonly port: string | undefined;
}

/** Splits a list at its last comma that stands in no quotes, seen from the end: quotes ahead of it may be made up. */
function lastEntry(list: string): [entry: string, before: string | undefined] {
  let isQuoted = false;
  for (let i = list.length - 1; i >= 0; i--) {
    if (list[i] === '"') isQuoted = !isQuoted;
    else if (list[i] === "," && !isQuoted) return [list.slice(i + 1), list.slice(0, i)];
  }
  return [list, undefined];
}

/** Returns the node of an element of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`. */
function nodeOfPairs(element: string): Node | undefined {
  const [, quoted, token] = /(?:^|;)[ \t]*for=(?:"([^"\\]*)"|([^;" \t]*))[ \t]*(?:;|$)/i.exec(element) ?? [];
  return parseNode(quoted ?? token ?? "");
}

/** Parses an address with or without a port; undefined for anything else, such as `unknown` (RFC 7239, 6). */
function parseNode(text: string): Node | undefined {
  const isBare = isIP(text) !== 0;
  const [, inBrackets, plain, port] = isBare
    ? []
    : (/^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(\d{1,5}))?$/i.exec(text) ?? []);
  const address = isBare ? text : (inBrackets ?? plain ?? "");
  const version = isIP(address);
  if (version === 0 || address.includes("%") || (inBrackets !== undefined && version !== 6)) return undefined;
  return { address, port };
}

function formatNode({ address, port }: Node): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return port === undefined ? host : `${host}:${port}`;
}
