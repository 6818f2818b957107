import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { ListenError } from "./listen-error.ts";
import type { AlsoListening, OnePort } from "./one-port.ts";

export interface ListenTarget {
  /** A name or an address; `localhost` is both loopback families. */
  host: string;
  /** 0 for any free one. */
  port: number;
  reusePort?: boolean | undefined;
}

/** Listens on one address. */
type Listen = (address: { host: string; port: number; reusePort?: true }) => Promise<unknown>;

/** How many ports are tried where any free one will do, and the next one turns out to be in use. */
const MAX_TRIES = 20;

/** Listens where a server is to be reached. Returns the port. @throws ListenError */
export function listenForCalls(onePort: OnePort, target: ListenTarget, listen: Listen): Promise<number> {
  return listenAt(onePort, target, listen, "PORT");
}

/** Listens for probes where the server listens. Returns the port. @throws ListenError */
export function listenForProbes(onePort: OnePort, target: ListenTarget): Promise<number> {
  const { server } = onePort;
  const listen: Listen = (address) => {
    server.listen(address);
    return once(server, "listening");
  };
  return listenAt(onePort, target, listen, "PROBE_PORT");
}

/** @param setting Setting that names the port. */
async function listenAt(onePort: OnePort, target: ListenTarget, listen: Listen, setting: string): Promise<number> {
  const { host, reusePort } = target;
  let { port } = target;
  const tryAddress = async (address: { host: string; port: number }) => {
    port = address.port;
    await listen({ ...address, ...(reusePort && { reusePort }) });
    port = (onePort.server.address() as AddressInfo).port;
  };
  const tryIpv4 = (wanted: number) => tryAddress({ host: "127.0.0.1", port: wanted });
  const tryIpv6 = (wanted: number) => listenOnIpv6Loopback(onePort, wanted, reusePort);
  try {
    if (host !== "localhost") await tryAddress({ host, port });
    else if (port === 0) await tryFreePorts(tryIpv4, tryIpv6);
    else {
      await tryIpv4(port);
      await tryIpv6(port);
    }
    return port;
  } catch (error) {
    throw new ListenError(host, port, error, setting);
  }
}

/** Looks for a port that is free in both loopback families: each has its own. */
async function tryFreePorts(
  tryIpv4: (port: number) => Promise<void>,
  tryIpv6: (port: number) => Promise<AlsoListening | undefined>,
): Promise<void> {
  for (let triesLeft = MAX_TRIES; ; triesLeft -= 1) {
    const also = await tryIpv6(0);
    try {
      return await tryIpv4(also?.port ?? 0);
    } catch (error) {
      also?.stop();
      if (triesLeft === 1 || codeOf(error) !== "EADDRINUSE") throw error;
    }
  }
}

/** Listens on a port of IPv6 loopback too, if the machine has it. */
async function listenOnIpv6Loopback(
  { listenAlso }: OnePort,
  port: number,
  reusePort = false,
): Promise<AlsoListening | undefined> {
  try {
    return await listenAlso({ host: "::1", port, reusePort });
  } catch (error) {
    // A machine without IPv6 has only one loopback family.
    if (!["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(codeOf(error) ?? "")) throw error;
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
