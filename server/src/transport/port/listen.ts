import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { ListenError } from "./listen-error.ts";
import type { OnePort } from "./one-port.ts";

export interface ListenTarget {
  /** A name or an address; `localhost` is both loopback families. */
  host: string;
  /** 0 for any free one. */
  port: number;
  reusePort?: boolean | undefined;
}

/**
 * Listens where a server is to be reached.
 *
 * @param listen Listens on one address.
 * @returns The port.
 * @throws ListenError
 */
export async function listenForCalls(
  { server, listenAlso }: OnePort,
  { host, port, reusePort }: ListenTarget,
  listen: (address: { host: string; port: number; reusePort?: true }) => Promise<unknown>,
): Promise<number> {
  let actualPort = port;
  try {
    await listen({ host: host === "localhost" ? "127.0.0.1" : host, port, ...(reusePort && { reusePort }) });
    actualPort = (server.address() as AddressInfo).port;
    if (host === "localhost") await listenOnIpv6Loopback(listenAlso, actualPort, reusePort);
    return actualPort;
  } catch (error) {
    throw new ListenError(host, actualPort, error);
  }
}

/** Listens for probes where the server listens. Returns the port. @throws ListenError */
export async function listenForProbes(
  { server, listenAlso }: OnePort,
  { host, port, reusePort = false }: ListenTarget,
): Promise<number> {
  try {
    server.listen({ port, host: host === "localhost" ? "127.0.0.1" : host, reusePort });
    await once(server, "listening");
    const { port: actualPort } = server.address() as AddressInfo;
    if (host === "localhost") await listenOnIpv6Loopback(listenAlso, actualPort, reusePort);
    return actualPort;
  } catch (error) {
    throw new ListenError(host, port, error, "PROBE_PORT");
  }
}

/** Listens on the port of 127.0.0.1 on the other loopback family too, if the machine has it. */
async function listenOnIpv6Loopback(listenAlso: OnePort["listenAlso"], port: number, reusePort = false): Promise<void> {
  try {
    await listenAlso({ host: "::1", port, reusePort });
  } catch (error) {
    // A machine without IPv6 has only one loopback family.
    if (!["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}
