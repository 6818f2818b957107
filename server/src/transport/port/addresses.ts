import { type BlockList, isIP, type Socket } from "node:net";
import { type Allowance, TokenBucket } from "./token-bucket.ts";

/** Time between two sweeps, which forget addresses without connections and with nothing spent. */
const SWEEP_INTERVAL_MS = 5_000;

/** State of an address that has connections, or had some a moment ago. */
export interface RemoteAddress {
  connections: number;
  /**
   * Allowance shared by all connections of the address whose client is not known yet. Otherwise each new connection
   * would bring a fresh one.
   */
  readonly resets: TokenBucket;
  readonly largeHeaders: TokenBucket;
  readonly tinyPieces: TokenBucket;
  /** Shared by all connections of the address. */
  readonly controlBytes: TokenBucket;
}

export interface AddressesOptions {
  /** Connections of one address; more are closed at once. An IPv6 address counts as its /64. */
  maxConnectionsPerAddress: number;
  /** Addresses that stand for many clients. Nothing here is counted for them. */
  trustedProxies: BlockList;
  strangerResets: Allowance;
  strangerHeaderBytes: Allowance;
  tinyPieces: Allowance;
  controlBytes: Allowance;
  /** Called with the address of each connection that is closed because its address has too many, or floods the server. */
  onRefused(address: string, reason: "many" | "flood"): void;
}

/** Counts connections and allowances by remote address. */
export class Addresses {
  readonly #options: AddressesOptions;
  readonly #known = new Map<string, RemoteAddress>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: AddressesOptions) {
    this.#options = options;
  }

  /** Counts a connection until it closes. Destroys it and returns false when its address may have no further one. */
  admit(socket: Socket): boolean {
    const { remoteAddress } = socket;
    // The connection has closed already.
    if (remoteAddress === undefined) return true;
    const { maxConnectionsPerAddress, onRefused } = this.#options;
    const isProxy = this.isProxy(remoteAddress);
    const key = addressKey(remoteAddress);
    const address = (!isProxy && this.#known.get(key)) || this.#create();
    if (!isProxy) this.#known.set(key, address);
    const isMany = address.connections >= maxConnectionsPerAddress;
    if (!isProxy && (isMany || address.controlBytes.isOverspent)) {
      socket.destroy();
      onRefused(remoteAddress, isMany ? "many" : "flood");
      return false;
    }
    address.connections += 1;
    socket.once("close", () => {
      address.connections -= 1;
      this.#sweeper ??= setTimeout(() => this.#sweep(), SWEEP_INTERVAL_MS).unref();
    });
    return true;
  }

  /** Returns whether an address is that of a trusted proxy. */
  isProxy(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#options.trustedProxies.check(address, version === 6 ? "ipv6" : "ipv4");
  }

  /** Returns the state of an admitted connection's address, or a fresh one for a proxy. */
  of(remoteAddress: string | undefined): RemoteAddress {
    return (remoteAddress !== undefined && this.#known.get(addressKey(remoteAddress))) || this.#create();
  }

  #create(): RemoteAddress {
    const { strangerResets, strangerHeaderBytes, tinyPieces, controlBytes } = this.#options;
    return {
      connections: 0,
      resets: new TokenBucket(strangerResets),
      largeHeaders: new TokenBucket(strangerHeaderBytes),
      tinyPieces: new TokenBucket(tinyPieces),
      controlBytes: new TokenBucket(controlBytes),
    };
  }

  #sweep(): void {
    this.#sweeper = undefined;
    for (const [key, { connections, resets, largeHeaders, tinyPieces, controlBytes }] of this.#known) {
      const isUnused = [resets, largeHeaders, tinyPieces, controlBytes].every(({ isFull }) => isFull);
      if (connections === 0 && isUnused) this.#known.delete(key);
    }
    if (this.#known.size > 0) this.#sweeper = setTimeout(() => this.#sweep(), SWEEP_INTERVAL_MS).unref();
  }
}

/**
 * Returns the key under which an address is counted: an IPv4 address, also when it is written as an IPv6 one, or the
 * first 64 bits of an IPv6 address. Those are the ones that its network assigns (RFC 4291, 2.5.4); a host chooses the
 * other 64 freely.
 */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1]) return mapped[1];
  if (isIP(address) !== 6) return address;
  const [withoutZone = ""] = address.split("%", 1);
  const [head = "", tail] = withoutZone.split("::", 2);
  const groups = head === "" ? [] : head.split(":");
  const after = tail ? tail.split(":").length : 0;
  if (tail !== undefined) while (groups.length + after < 8) groups.push("0");
  if (tail) groups.push(...tail.split(":"));
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}

/**
 * Adds an address or a network of either family, such as `10.0.0.1` or `10.0.0.0/8`. Returns false for anything else.
 */
export function addToBlockList(list: BlockList, entry: string): boolean {
  const [, address = "", , prefix] = /^([^/]+)(\/(\d{1,3}))?$/.exec(entry) ?? [];
  const version = isIP(address);
  const bits = version === 6 ? 128 : 32;
  const length = prefix === undefined ? bits : Number(prefix);
  if (version === 0 || length > bits || address.includes("%")) return false;
  list.addSubnet(address, length, version === 6 ? "ipv6" : "ipv4");
  return true;
}
