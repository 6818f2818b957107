/** `host` or `host:port` (RFC 9110, 7.2), as far as a URL can hold it. */
const AUTHORITY = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/i;

/**
 * Whether a request's Host, or `:authority`, names a host. Where it does not, a
 * URL made of it would throw, or mean another host.
 */
export function isValidAuthority(authority: string | undefined): boolean {
  return authority !== undefined && AUTHORITY.test(authority) && URL.canParse(`http://${authority}/`);
}
