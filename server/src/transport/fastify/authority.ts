import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { countHeaders } from "../port/raw-headers.ts";

/** `host` or `host:port` (RFC 9110, 7.2), as far as a URL can hold it. */
const AUTHORITY = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/i;

/**
 * Returns whether a request names its host as its HTTP version requires: HTTP/1.1 with one valid Host (RFC 9112, 3.2),
 * HTTP/1.0 with at most one. Of two, Node takes the first, and a proxy in front may take the second.
 *
 * Over HTTP/2 there is no such requirement. The authority decides nothing here, and clients put into it whatever they
 * were given to connect to, such as several addresses.
 */
export function hasValidHost(request: IncomingMessage | Http2ServerRequest): boolean {
  if (request.httpVersionMajor > 1) return true;
  const hosts = countHeaders(request.rawHeaders, "host");
  const { host } = request.headers;
  if (host === undefined) return request.httpVersion === "1.0";
  return hosts === 1 && isAuthority(host);
}

/** Last host that was found valid: most requests name the same one. */
let lastValidHost: string | undefined;

function isAuthority(host: string): boolean {
  if (host === lastValidHost) return true;
  if (!AUTHORITY.test(host) || !URL.canParse(`http://${host}/`)) return false;
  lastValidHost = host;
  return true;
}

/**
 * Returns whether an Origin is that of the server itself, as the request names it.
 *
 * @param isSecure Whether the connection has TLS. Without it the origin may still be https: a proxy can terminate TLS
 * in front of a plaintext server, but never the other way round.
 */
export function isOwnOrigin(origin: string, authority: string | undefined, isSecure: boolean): boolean {
  const schemes = isSecure ? ["https:"] : ["https:", "http:"];
  return schemes.some((scheme) => URL.parse(`${scheme}//${authority}`)?.origin === origin);
}
