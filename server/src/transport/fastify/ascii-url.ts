/**
 * Whether a URL has nothing but ASCII, as RFC 3986 asks for. Node's HTTP/1.1 parser
 * refuses other bytes; over HTTP/2 it reads them as Latin-1, and the message of a
 * read by GET would be another.
 */
export function isAsciiUrl(url: string): boolean {
  return /^[\x21-\x7e]*$/.test(url);
}
