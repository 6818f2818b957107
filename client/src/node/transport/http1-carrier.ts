import { ConnectError } from "@connectrpc/connect";
import { findNotSent } from "../../internal/not-sent.ts";
import { closedError, type TlsClientOptions, toFinal } from "../http/open-socket.ts";
import { Outage } from "../http/outage.ts";
import type { PoolSettings } from "../http/pool-options.ts";
import { WaitingLine } from "../http/waiting-line.ts";
import { createOrigin, type Origin } from "./http1-origin.ts";
import { exchange } from "./http1-wire.ts";
import type { CarriedCall, Carrier } from "./wire.ts";

/** Time for which a server counts as reached after its last connection has ended, in milliseconds. */
const BETWEEN_CONNECTIONS_MS = 1_000;

/**
 * Carries calls over HTTP/1.1 to the address with the fewest calls, at most `settings.size` at the same time to each;
 * further ones wait in order. An address that can't be reached is skipped for a while, and the request goes to the next
 * one. While none can be reached, requests wait.
 */
export class Http1Carrier implements Carrier {
  readonly #origins: readonly Origin[];
  readonly #settings: PoolSettings;
  /** Node's agent has a queue too, but a request in it can be neither removed nor ended. */
  readonly #line: WaitingLine<Origin>;
  readonly #outage: Outage;
  readonly #closing = new AbortController();
  /** Resolves once a closed carrier has no calls left. */
  readonly #drained = Promise.withResolvers<void>();
  #turn = 0;

  constructor(origins: readonly string[], tls: TlsClientOptions, settings: PoolSettings) {
    const { signal } = this.#closing;
    this.#settings = settings;
    this.#origins = origins.map((origin) => createOrigin(origin, { ...settings, tls, signal }));
    this.#line = new WaitingLine({ settings, origins, hasConnection: () => this.#isReached });
    const addresses = this.#origins.map(({ address }) => address);
    this.#outage = new Outage({ addresses, settings, line: this.#line, serve: (most) => this.#serve(most) });
  }

  carry(call: CarriedCall): void {
    this.#carry(call).catch((error: unknown) => call.onError(ConnectError.from(error)));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return this.#drained.promise;
    // Connections that are still opening end too.
    this.#closing.abort();
    this.#outage.stop();
    this.#line.rejectAll(closedError());
    if (this.#origins.some(({ callCount }) => callCount > 0)) {
      const cut = setTimeout(this.#drained.resolve, this.#settings.closeTimeoutMs);
      await this.#drained.promise;
      clearTimeout(cut);
    }
    for (const { agent } of this.#origins) agent.destroy();
    this.#drained.resolve();
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  get #hasConnection(): boolean {
    return this.#origins.some(({ open }) => open.size > 0);
  }

  /** Whether calls only wait for their turn: a connection is open, or was until now, as with a server that keeps none. */
  get #isReached(): boolean {
    if (this.#outage.isOn) return false;
    const sinceMs = performance.now() - BETWEEN_CONNECTIONS_MS;
    return this.#origins.some(({ open, closedAtMs }) => open.size > 0 || closedAtMs >= sinceMs);
  }

  /** Resolves when the call has the head of its answer. */
  async #carry(call: CarriedCall): Promise<void> {
    /** Addresses that could not be reached in this round. */
    const failed = new Set<Origin>();
    let mustWait = false;
    for (;;) {
      if (this.#isClosed) throw closedError();
      const origin = (mustWait ? undefined : this.#takeFor(failed)) ?? (await this.#wait(call));
      mustWait = false;
      try {
        await exchange(origin, call, {
          onConnect: () => this.#connected(),
          beforeConnect: (reason) => this.#line.ended(reason),
          onEnd: () => this.#release(origin),
        });
        origin.address.answered();
        return;
      } catch (error) {
        if (call.isOver || !call.canReplay || !findNotSent(error)) throw error;
        call.onUnsent();
        if (this.#isClosed) throw closedError();
        origin.address.failed(error);
        failed.add(origin);
        if (failed.size < this.#origins.length) continue;
        failed.clear();
        mustWait = true;
        // The call gets its turn on a connection that is open.
        if (this.#hasConnection) this.#line.noteFault(error);
        else this.#beginOutage(origin.address.refusesClient ? toFinal(error) : error);
      }
    }
  }

  /** Makes calls wait, since no address could be reached. @throws ConnectError if waiting does not help. */
  #beginOutage(error: unknown): void {
    if (!findNotSent(error)?.isTransient || this.#settings.waitTimeoutMs === 0) {
      const final = toFinal(error);
      this.#line.rejectAll(final);
      throw final;
    }
    this.#outage.begin(error);
  }

  /**
   * Reserves a place for a call; undefined if it has to wait.
   *
   * @param failed Addresses that the call has tried. If there are any, it was its turn already.
   */
  #takeFor(failed: ReadonlySet<Origin>): Origin | undefined {
    if (failed.size === 0 && (this.#outage.isOn || this.#line.size > 0)) return undefined;
    return this.#take(failed);
  }

  /** Resolves with a reserved place. */
  async #wait(call: CarriedCall): Promise<Origin> {
    const turn = this.#line.wait(call);
    if (this.#outage.isOn) this.#outage.retryLater();
    else this.#serve();
    const origin = await turn;
    if (!this.#isClosed && !call.isOver) return origin;
    this.#release(origin);
    throw this.#isClosed ? closedError() : this.#line.ended(call.signal.reason);
  }

  /** Reserves a place at the address with the fewest calls, in turns among equals. Addresses that rest come last. */
  #take(failed?: ReadonlySet<Origin>): Origin | undefined {
    const all = this.#origins;
    const isUntried = (origin: Origin) => !failed?.has(origin);
    const isAnyAwake = all.some((origin) => isUntried(origin) && !origin.address.isResting);
    this.#turn = (this.#turn + 1) % all.length;
    let best: Origin | undefined;
    for (let index = 0; index < all.length; index++) {
      const origin = all[(this.#turn + index) % all.length] as Origin;
      const hasRoom = origin.callCount < this.#placesOf(origin);
      if (!hasRoom || !isUntried(origin) || (isAnyAwake && origin.address.isResting)) continue;
      if (!best || origin.callCount < best.callCount) best = origin;
    }
    if (best) best.callCount += 1;
    return best;
  }

  /** Returns how many calls an address takes: while it rests, only as many as it has connections, if there are any. */
  #placesOf({ address, open }: Origin): number {
    const { size } = this.#settings;
    return open.size > 0 && open.size < size && address.isResting ? open.size : size;
  }

  #connected(): void {
    this.#outage.end();
    this.#serve();
  }

  /** Gives waiting calls the places that are free. */
  #serve(most = Infinity): void {
    for (let count = 0; count < most && this.#line.size > 0; count++) {
      const origin = this.#take();
      if (!origin) break;
      this.#line.serve(origin);
    }
    this.#outage.retryLater();
  }

  #release(origin: Origin): void {
    origin.callCount -= 1;
    if (this.#isClosed && this.#origins.every(({ callCount }) => callCount === 0)) this.#drained.resolve();
    // In an outage, the rests of the addresses set the pace.
    if (!this.#outage.isOn) this.#serve();
  }
}
