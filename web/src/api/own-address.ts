/** Parses the page's own address, in which nothing can be wrong. The client's parser says what is. */
export function parseServerAddress(address: string): URL {
  return new URL(address);
}
