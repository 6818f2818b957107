import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { countHeaders } from "../port/raw-headers.ts";

/** `host` or `host:port` (RFC 9110, 7.2), as far as a URL can contain it. */
const AUTHORITY = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/i;

/**
 * Returns whether a request names its host as its HTTP version requires: HTTP/1.1 with one valid Host (RFC 9112, 3.2),
 * HTTP/1.0 with at most one. If there are two, Node.js takes the first, and a proxy in front may take the second.
 *
 * HTTP/2 has no such requirement here. The authority decides nothing, and clients may set it to any address that they
 * were given, even to a list of several.
 */
export function hasValidHost(request: IncomingMessage | Http2ServerRequest): boolean {
  if (request.httpVersionMajor > 1) return true;
  const hosts = countHeaders(request.rawHeaders, "host");
  const { host } = request.headers;
  if (host === undefined) return request.httpVersion === "1.0";
  return hosts === 1 && isAuthority(host);
}

/** The last host that was found valid. Most requests name the same one. */
let lastValidHost: string | undefined;

function isAuthority(host: string): boolean {
  if (host === lastValidHost) return true;
  if (!AUTHORITY.test(host) || !URL.canParse(`http://${host}/`)) return false;
  lastValidHost = host;
  return true;
}

/**
 * Returns whether an Origin is the server's own, as the request names it.
 *
 * @param isSecure Whether the connection has TLS. Without TLS the origin may still be https, since a proxy can
 * terminate TLS in front of a plaintext server. The reverse can't be.
 */
export function isOwnOrigin(origin: string, authority: string | undefined, isSecure: boolean): boolean {
  const schemes = isSecure ? ["https:"] : ["https:", "http:"];
  return schemes.some((scheme) => URL.parse(`${scheme}//${authority}`)?.origin === origin);
}
