import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { countHeaders } from "../port/raw-headers.ts";

/** `host` or `host:port` (RFC 9110, 7.2), as far as a URL can hold it. */
const AUTHORITY = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/i;

/**
 * Whether a request names its host as its version of HTTP asks. HTTP/1.1 has one valid
 * Host (RFC 9112, 3.2), HTTP/1.0 at most one. Of two, Node takes the first, and whoever
 * is in front may take the second.
 *
 * Over HTTP/2 nothing is asked for: the authority decides nothing here, and clients put
 * into it what they were told to connect to, such as several addresses.
 */
export function hasValidHost(request: IncomingMessage | Http2ServerRequest): boolean {
  if (request.httpVersionMajor > 1) return true;
  const hosts = countHeaders(request.rawHeaders, "host");
  const { host } = request.headers;
  if (host === undefined) return request.httpVersion === "1.0";
  return hosts === 1 && isAuthority(host);
}

/** The host that was found valid last: most requests name the same one. */
let lastValidHost: string | undefined;

function isAuthority(host: string): boolean {
  if (host === lastValidHost) return true;
  if (!AUTHORITY.test(host) || !URL.canParse(`http://${host}/`)) return false;
  lastValidHost = host;
  return true;
}

/**
 * Whether an Origin is that of the server itself, as the request names it.
 *
 * @param isSecure Whether the connection has TLS. Without it a proxy in front may: TLS
 *   may end ahead of a plaintext server, never the other way round.
 */
export function isOwnOrigin(origin: string, authority: string | undefined, isSecure: boolean): boolean {
  const schemes = isSecure ? ["https:"] : ["https:", "http:"];
  return schemes.some((scheme) => URL.parse(`${scheme}//${authority}`)?.origin === origin);
}
