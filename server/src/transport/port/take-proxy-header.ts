import { isIP, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type ProxySource, parseProxyHeader } from "./proxy-header.ts";
import { readHead } from "./read-head.ts";

/** Sources of connections that a proxy has passed on, by their sockets. */
const sources = new WeakMap<object, ProxySource>();

/**
 * Reads the header of the PROXY protocol that a trusted proxy's connection begins with. From then on the socket has the
 * address of the proxy's client. Closes a connection without a whole header in time.
 *
 * @param accept Called in the turn of the event loop in which the header was read, so that nothing behind it is missed.
 */
export function takeProxyHeader(socket: Socket, timeoutMs: number, accept: () => void): void {
  readHead(socket, timeoutMs, (head) => {
    const header = parseProxyHeader(head);
    if (header.state === "incomplete") return undefined;
    if (header.state === "invalid") return () => socket.destroy();
    return () => {
      if (header.source) {
        sources.set(socket, header.source);
        describe(socket, header.source);
      }
      if (head.length > header.bytes) socket.unshift(head.subarray(header.bytes));
      accept();
    };
  });
}

/** Gives a TLS socket the address that the socket below it was given. */
export function describeTlsSource(socket: TLSSocket & { readonly _parent?: Socket }): void {
  const source = socket._parent && sources.get(socket._parent);
  if (source) describe(socket, source);
}

function describe(socket: Socket, { address, port }: ProxySource): void {
  const family = isIP(address) === 6 ? "IPv6" : "IPv4";
  Object.defineProperties(socket, {
    remoteAddress: { value: address, configurable: true },
    remotePort: { value: port, configurable: true },
    remoteFamily: { value: family, configurable: true },
  });
}
