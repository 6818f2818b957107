import { findNotSent } from "../../internal/not-sent.ts";
import { Address } from "./address.ts";
import { Http2Connection } from "./http2-connection.ts";
import { closedError, notSent, type TlsClientOptions, toFinal } from "./open-socket.ts";
import type { PoolSettings } from "./pool-options.ts";
import { type WaitingCall, WaitingLine } from "./waiting-line.ts";

export interface Http2PoolOptions {
  /** Origins, such as `https://rollcall.example.com`. Calls are distributed among them. */
  origins: readonly string[];
  tls: TlsClientOptions;
  settings: PoolSettings;
}

/**
 * Pool of HTTP/2 connections to all addresses of a server. A call gets the connection with the fewest streams, in turns
 * among equals, and never more than its server accepts. When all are full, calls wait in order.
 *
 * An address that fails is skipped while there is another. It is tried again alongside a later call, which does not
 * wait for it. While no address can be reached, calls wait, and the addresses are tried again after their rests.
 *
 * A connection that seems dead gets no more calls, and another takes its place.
 */
export class Http2Pool {
  readonly #addresses: readonly Address[];
  readonly #origins: string;
  readonly #tls: TlsClientOptions;
  readonly #settings: PoolSettings;
  readonly #connections = new Set<Http2Connection>();
  readonly #opening = new Map<Promise<void>, Address>();
  readonly #line: WaitingLine<Http2Connection>;
  readonly #closing = new AbortController();
  #turn = 0;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor({ origins, tls, settings }: Http2PoolOptions) {
    this.#addresses = origins.map((origin) => new Address(origin));
    this.#tls = tls;
    this.#settings = settings;
    this.#origins = origins.join(", ");
    this.#line = new WaitingLine({ settings, origins, hasConnection: () => this.#hasConnection });
  }

  /** Returns a connection with a place for one stream, to be used immediately; undefined if the call has to wait. */
  take(): Http2Connection | undefined {
    if (this.#isClosed || this.#line.size > 0) return undefined;
    const connection = this.#pick();
    if (connection) this.#grow();
    return connection;
  }

  /**
   * Resolves with such a connection when it is the call's turn.
   *
   * @throws ConnectError caused by a RequestNotSentError. It is unavailable when too many calls wait, or when no
   * address can be reached and waiting does not help; canceled when the pool is closed; otherwise it has the code of
   * the signal's reason.
   */
  async wait(call: WaitingCall): Promise<Http2Connection> {
    if (this.#isClosed) throw closedError();
    const turn = this.#line.wait(call);
    this.#grow();
    return turn;
  }

  /**
   * Takes no new calls and opens no connections. Resolves when open calls have finished, or were cut after
   * closeTimeoutMs.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#retryTimer);
    this.#line.rejectAll(closedError());
    const cut = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, this.#settings.closeTimeoutMs);
    try {
      await Promise.all(this.#opening.keys());
      await Promise.all(
        [...this.#connections].map((connection) => {
          connection.retire();
          return connection.closed();
        }),
      );
    } finally {
      clearTimeout(cut);
    }
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  get #hasConnection(): boolean {
    for (const { isUsable } of this.#connections) if (isUsable) return true;
    return false;
  }

  /** Reserves a place on the connection with the fewest streams. Allocates nothing, since it runs for each call. */
  #pick(): Http2Connection | undefined {
    let fewest = Infinity;
    let equals = 0;
    for (const { hasRoom, streamCount } of this.#connections) {
      if (!hasRoom || streamCount > fewest) continue;
      equals = streamCount < fewest ? 1 : equals + 1;
      fewest = streamCount;
    }
    if (equals === 0) return undefined;
    this.#turn = (this.#turn + 1) % 2 ** 30;
    let ahead = this.#turn % equals;
    for (const connection of this.#connections) {
      if (connection.streamCount !== fewest || !connection.hasRoom || ahead-- > 0) continue;
      connection.reserve();
      return connection;
    }
    return undefined;
  }

  #serveWaiters(): void {
    while (this.#line.size > 0) {
      const connection = this.#pick();
      if (!connection) return;
      this.#line.serve(connection);
    }
  }

  /**
   * Opens connections if calls wait or no connection takes another stream, and tries addresses again that have rested.
   * Another connection is only opened if there is no room, as in gRPC (gRFC A105), because calls that share a
   * connection need fewer packets.
   */
  #grow(): void {
    if (this.#isClosed) return;
    let openCount = 0;
    let isFull = true;
    for (const { takesStreams, isDoubtful, hasRoom } of this.#connections) {
      if (!takesStreams || isDoubtful) continue;
      openCount += 1;
      if (hasRoom) isFull = false;
    }
    isFull ||= this.#line.size > 0;
    const isStuck = openCount === 0 && this.#opening.size === 0 && this.#addresses.every(({ isResting }) => isResting);
    // If calls don't wait, an address is tried even while it rests: the caller's backoff sets the pace.
    const isTriedAtRest = isStuck && this.#settings.waitTimeoutMs === 0;
    if (isStuck && !isTriedAtRest) this.#growLater();
    for (const address of this.#addresses) {
      const count = this.#countOpen(address);
      const isWanted = count === 0 || (isFull && count < this.#settings.size);
      if (!isWanted || (address.isResting && !isTriedAtRest) || this.#isOpening(address)) continue;
      this.#open(address);
    }
    if (this.#line.size === 0 || this.#opening.size > 0 || this.#retryTimer || this.#hasConnection) return;
    // There are connections, but their servers accept no streams.
    this.#noteOutage(notSent(this.#origins, new Error("no server accepts a call at present")));
  }

  #countOpen(address: Address): number {
    let count = 0;
    for (const connection of this.#connections) {
      if (connection.address === address && connection.takesStreams && !connection.isDoubtful) count++;
    }
    return count;
  }

  #isOpening(address: Address): boolean {
    for (const other of this.#opening.values()) if (other === address) return true;
    return false;
  }

  /** Grows the pool once the first address has rested, if calls still wait by then. */
  #growLater(): void {
    if (this.#retryTimer || this.#line.size === 0) return;
    const restMs = Math.min(...this.#addresses.map((address) => address.restMs));
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      if (this.#line.size > 0) this.#grow();
    }, restMs).unref();
  }

  #open(address: Address): void {
    const { signal } = this.#closing;
    const options = { ...this.#settings, tls: this.#tls, signal, onChange: this.#onChange };
    const opening = Http2Connection.open(address, options).then(
      (connection) => {
        this.#opening.delete(opening);
        address.connected();
        // A doubtful connection that it was to replace may have been heard again.
        const isNeeded = !this.#isClosed && this.#countOpen(address) < this.#settings.size;
        this.#connections.add(connection);
        if (!isNeeded) return connection.retire();
        for (const other of this.#connections) if (other.address === address && other.isDoubtful) other.retire();
        this.#onChange(connection);
      },
      (error: unknown) => {
        this.#opening.delete(opening);
        address.failed(error);
        this.#line.noteFault(error);
        if (this.#opening.size > 0 || this.#hasConnection) return;
        const isLasting = findNotSent(error)?.isTransient === false || address.refusesClient;
        if (isLasting) return this.#line.rejectAll(toFinal(error));
        this.#noteOutage(error);
        if (this.#line.size > 0) this.#grow();
      },
    );
    this.#opening.set(opening, address);
  }

  /** Lets waiting calls wait no longer than they may without a connection. */
  #noteOutage(error: unknown): void {
    if (this.#settings.waitTimeoutMs === 0) this.#line.rejectAll(toFinal(error));
    else if (this.#line.size > 0) this.#line.beginOutage(error);
  }

  readonly #onChange = (connection: Http2Connection): void => {
    if (connection.isLost) this.#connections.delete(connection);
    else if (connection.isUsable) this.#line.endOutage();
    this.#serveWaiters();
    if (this.#line.size > 0) this.#grow();
  };
}
