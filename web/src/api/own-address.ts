/** Parses the page's own address, which is always valid. It replaces the client's parser, which explains faults. */
export function parseServerAddress(address: string): URL {
  return new URL(address);
}
