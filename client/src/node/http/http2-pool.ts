import { Code, ConnectError } from "@connectrpc/connect";
import { RequestNotSentError } from "../../not-sent.ts";
import { Address } from "./address.ts";
import { Http2Connection } from "./http2-connection.ts";
import type { TlsClientOptions } from "./open-socket.ts";
import type { PoolSettings } from "./pool-options.ts";

export interface Http2PoolOptions {
  /** Origins, as `https://rollcall.example.com`; calls are spread over them. */
  origins: readonly string[];
  tls: TlsClientOptions;
  settings: PoolSettings;
}

interface Waiter {
  resolve(connection: Http2Connection): void;
  reject(error: unknown): void;
}

/**
 * HTTP/2 connections to all addresses of a server. A call gets the one with the
 * fewest streams, in turns among equals, and never more than its server takes: where
 * all are full, calls wait in their order. An address that fails is left out while
 * there is another, and probed again by a later call, at no call's cost.
 */
export class Http2Pool {
  readonly #addresses: readonly Address[];
  readonly #tls: TlsClientOptions;
  readonly #settings: PoolSettings;
  readonly #connections = new Set<Http2Connection>();
  readonly #opening = new Map<Promise<void>, Address>();
  readonly #waiters = new Set<Waiter>();
  readonly #closing = new AbortController();
  #turn = 0;

  constructor({ origins, tls, settings }: Http2PoolOptions) {
    this.#addresses = origins.map((origin) => new Address(origin));
    this.#tls = tls;
    this.#settings = settings;
  }

  /**
   * A connection with a place for one stream, to be used by its `openStream`.
   *
   * @throws ConnectError unavailable when no address can be reached, because of a
   *   RequestNotSentError; canceled when the pool is closed; the signal's reason.
   */
  async acquire(signal: AbortSignal | undefined): Promise<Http2Connection> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw closedError();
    const connection = this.#waiters.size === 0 ? this.#take() : undefined;
    if (!connection) return this.#wait(signal);
    this.#grow();
    return connection;
  }

  /** No new calls or connections; resolves when the calls under way have finished, or were cut after closeTimeoutMs. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#rejectWaiters(closedError());
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

  #take(): Http2Connection | undefined {
    const withRoom = [...this.#connections].filter(({ hasRoom }) => hasRoom);
    const fewest = Math.min(...withRoom.map(({ streamCount }) => streamCount));
    const equals = withRoom.filter(({ streamCount }) => streamCount === fewest);
    this.#turn = (this.#turn + 1) % 2 ** 30;
    const connection = equals[this.#turn % equals.length];
    connection?.reserve();
    return connection;
  }

  #wait(signal: AbortSignal | undefined): Promise<Http2Connection> {
    const { promise, resolve, reject } = Promise.withResolvers<Http2Connection>();
    const abort = () => settle(() => reject(signal?.reason));
    const settle = (act: () => void) => {
      this.#waiters.delete(waiter);
      signal?.removeEventListener("abort", abort);
      act();
    };
    const waiter: Waiter = {
      resolve: (connection) => settle(() => resolve(connection)),
      reject: (error) => settle(() => reject(error)),
    };
    this.#waiters.add(waiter);
    signal?.addEventListener("abort", abort, { once: true });
    this.#grow();
    return promise;
  }

  #serveWaiters(): void {
    for (const waiter of this.#waiters) {
      const connection = this.#take();
      if (!connection) return;
      waiter.resolve(connection);
    }
  }

  /** Opens connections where calls wait or each connection is in use, and probes addresses that have rested. */
  #grow(): void {
    if (this.#isClosed) return;
    const open = [...this.#connections].filter(({ takesStreams }) => takesStreams);
    // The call that has just taken its place is one stream.
    const isBusy = this.#waiters.size > 0 || open.every(({ streamCount }) => streamCount > 1);
    const awake = this.#addresses.filter((address) => !address.isResting);
    // With nothing else left, an address is tried although it rests: the caller's backoff sets the pace.
    const canWait = open.length > 0 || this.#opening.size > 0;
    for (const address of awake.length > 0 || canWait ? awake : this.#addresses) {
      const opening = [...this.#opening.values()].filter((other) => other === address).length;
      const count = open.filter((connection) => connection.address === address).length + opening;
      if (opening === 0 && (count === 0 || (isBusy && count < this.#settings.size))) this.#open(address);
    }
  }

  #open(address: Address): void {
    const { signal } = this.#closing;
    const options = { ...this.#settings, tls: this.#tls, signal, onChange: this.#onChange };
    const opening = Http2Connection.open(address, options).then(
      (connection) => {
        this.#opening.delete(opening);
        address.succeeded();
        this.#connections.add(connection);
        if (this.#isClosed) connection.retire();
        else this.#onChange(connection);
      },
      (error: unknown) => {
        this.#opening.delete(opening);
        address.failed();
        if (this.#opening.size > 0) return;
        if ([...this.#connections].some(({ takesStreams }) => takesStreams)) return;
        this.#rejectWaiters(error);
      },
    );
    this.#opening.set(opening, address);
  }

  readonly #onChange = (connection: Http2Connection): void => {
    if (connection.isLost) this.#connections.delete(connection);
    this.#serveWaiters();
    if (this.#waiters.size > 0) this.#grow();
  };

  #rejectWaiters(error: unknown): void {
    for (const waiter of this.#waiters) waiter.reject(error);
  }
}

function closedError(): ConnectError {
  const cause = new RequestNotSentError("the client is closed", { isTransient: false });
  return new ConnectError(cause.message, Code.Canceled, undefined, undefined, cause);
}
