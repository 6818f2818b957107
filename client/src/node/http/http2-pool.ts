import { findNotSent } from "../../internal/not-sent.ts";
import { Address } from "./address.ts";
import { Http2Connection } from "./http2-connection.ts";
import { closedError, type TlsClientOptions, toFinal } from "./open-socket.ts";
import type { PoolSettings } from "./pool-options.ts";
import { type WaitingCall, WaitingLine } from "./waiting-line.ts";

export interface Http2PoolOptions {
  /** Origins, as `https://rollcall.example.com`; calls are spread over them. */
  origins: readonly string[];
  tls: TlsClientOptions;
  settings: PoolSettings;
}

/**
 * HTTP/2 connections to all addresses of a server. A call gets the one with the
 * fewest streams, in turns among equals, and never more than its server takes: where
 * all are full, calls wait in their order. An address that fails is left out while
 * there is another, and probed again by a later call, at no call's cost. While none can be
 * reached, calls wait, and the addresses are tried again after their rests.
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
   * A connection with a place for one stream, to be used by its `openStream`.
   *
   * @throws ConnectError because of a RequestNotSentError: unavailable when no address can
   *   be reached and it does not help to wait, or too many wait; canceled when the pool is
   *   closed; as the signal's reason says.
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

  /** No new calls or connections; resolves when the calls under way have finished, or were cut after closeTimeoutMs. */
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

  /** Opens connections where calls wait or each connection is in use, and probes addresses that have rested. */
  #grow(): void {
    if (this.#isClosed) return;
    const open = [...this.#connections].filter(({ takesStreams }) => takesStreams);
    // The call that has just taken its place is one stream.
    const isBusy = this.#line.size > 0 || open.every(({ streamCount }) => streamCount > 1);
    const awake = this.#addresses.filter((address) => !address.isResting);
    const isStuck = awake.length === 0 && open.length === 0 && this.#opening.size === 0;
    // Where calls don't wait, an address is tried although it rests: the caller's backoff sets the pace.
    const isTriedAtRest = isStuck && this.#settings.waitTimeoutMs === 0;
    if (isStuck && !isTriedAtRest) this.#growLater();
    for (const address of isTriedAtRest ? this.#addresses : awake) {
      const opening = [...this.#opening.values()].filter((other) => other === address).length;
      const count = open.filter((connection) => connection.address === address).length + opening;
      if (opening === 0 && (count === 0 || (isBusy && count < this.#settings.size))) this.#open(address);
    }
  }

  /** Once the first address has rested, if calls still wait then. */
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
