import { countHeaders } from "./raw-headers.ts";

/** `host` or `host:port` (RFC 9110, 7.2), as far as a URL can hold it. */
const AUTHORITY = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/i;

/** What names a request's host: its Host, or `:authority`, and how its headers came. */
interface NamedHost {
  readonly host: string | undefined;
  readonly raw: { readonly rawHeaders: readonly string[] };
}

/**
 * Whether a request's Host, or `:authority`, names a host. Where it does not, a
 * URL made of it would throw, or mean another host.
 */
export function isValidAuthority({ host: authority, raw: { rawHeaders } }: NamedHost): boolean {
  // Of two hosts, Node takes the first; whoever is in front may take the second.
  const hosts = countHeaders(rawHeaders, "host");
  return hosts < 2 && authority !== undefined && AUTHORITY.test(authority) && URL.canParse(`http://${authority}/`);
}
