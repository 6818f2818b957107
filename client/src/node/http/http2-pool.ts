import { findNotSent } from "../../internal/not-sent.ts";
import { Address } from "./address.ts";
import { Http2Connection } from "./http2-connection.ts";
import { closedError, type TlsClientOptions, toFinal } from "./open-socket.ts";
import type { PoolSettings } from "./pool-options.ts";
import { type WaitingCall, WaitingLine } from "./waiting-line.ts";

export interface Http2PoolOptions {
  /** Origins, such as `https://rollcall.example.com`. Calls are spread over them. */
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
 */
export class Http2Pool {
  readonly #addresses: readonly Address[];
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
    this.#line = new WaitingLine({ settings, origins, hasConnection: () => this.#hasConnection });
  }

  /**
   * Resolves with a connection that has a place for one stream, to be used by its `openStream`.
   *
   * @throws ConnectError caused by a RequestNotSentError: unavailable when no address can be reached and waiting does
   * not help, or too many wait; canceled when the pool is closed; otherwise as the signal's reason says.
   */
  async acquire(call: WaitingCall): Promise<Http2Connection> {
    call.signal?.throwIfAborted();
    if (this.#isClosed) throw closedError();
    const connection = this.#line.size === 0 ? this.#take() : undefined;
    if (!connection) {
      const turn = this.#line.wait(call);
      this.#grow();
      return turn;
    }
    this.#grow();
    return connection;
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
    return [...this.#connections].some(({ takesStreams }) => takesStreams);
  }

  #take(): Http2Connection | undefined {
    const withRoom = [...this.#connections].filter(({ hasRoom }) => hasRoom);
    const fewest = Math.min(...withRoom.map(({ streamCount }) => streamCount));
    const equals = withRoom.filter(({ streamCount }) => streamCount === fewest);
    this.#turn = (this.#turn + 1) % 2 ** 30;
    const connection = equals[this.#turn % equals.length];
    connection?.reserve();
    return connection;
  }

  #serveWaiters(): void {
    while (this.#line.size > 0) {
      const connection = this.#take();
      if (!connection) return;
      this.#line.serve(connection);
    }
  }

  /** Opens connections if calls wait or each connection is in use, and tries addresses again that have rested. */
  #grow(): void {
    if (this.#isClosed) return;
    const open = [...this.#connections].filter(({ takesStreams }) => takesStreams);
    // The call that has just taken its place is one stream.
    const isBusy = this.#line.size > 0 || open.every(({ streamCount }) => streamCount > 1);
    const awake = this.#addresses.filter((address) => !address.isResting);
    const isStuck = awake.length === 0 && open.length === 0 && this.#opening.size === 0;
    // If calls don't wait, an address is tried although it rests: the caller's backoff sets the pace.
    const isTriedAtRest = isStuck && this.#settings.waitTimeoutMs === 0;
    if (isStuck && !isTriedAtRest) this.#growLater();
    for (const address of isTriedAtRest ? this.#addresses : awake) {
      const opening = [...this.#opening.values()].filter((other) => other === address).length;
      const count = open.filter((connection) => connection.address === address).length + opening;
      if (opening === 0 && (count === 0 || (isBusy && count < this.#settings.size))) this.#open(address);
    }
  }

  /** Grows the pool once the first address has rested, if calls still wait then. */
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
        this.#line.endOutage();
        this.#connections.add(connection);
        if (this.#isClosed) connection.retire();
        else this.#onChange(connection);
      },
      (error: unknown) => {
        this.#opening.delete(opening);
        address.failed(error);
        this.#line.noteFault(error);
        if (this.#opening.size > 0 || this.#hasConnection) return;
        const isLasting = findNotSent(error)?.isTransient === false || address.refusesClient;
        const isHopeless = this.#settings.waitTimeoutMs === 0 || isLasting;
        if (isHopeless) return this.#line.rejectAll(toFinal(error));
        if (this.#line.size > 0) this.#line.beginOutage(error);
        this.#grow();
      },
    );
    this.#opening.set(opening, address);
  }

  readonly #onChange = (connection: Http2Connection): void => {
    if (connection.isLost) this.#connections.delete(connection);
    this.#serveWaiters();
    if (this.#line.size > 0) this.#grow();
  };
}
