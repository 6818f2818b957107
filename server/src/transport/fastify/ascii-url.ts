/**
 * Returns whether a URL is all ASCII, as RFC 3986 requires. Node's HTTP/1.1 parser refuses other bytes. Over HTTP/2
 * Node.js reads them as Latin-1, and the message of a read by GET would then differ from the one that was sent.
 */
export function isAsciiUrl(url: string): boolean {
  return /^[\x21-\x7e]*$/.test(url);
}
