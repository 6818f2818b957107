import type { ConnectError } from "@connectrpc/connect";
import type { Address } from "./address.ts";
import type { PoolSettings } from "./pool-options.ts";
import { type WaitingCall, WaitingLine } from "./waiting-line.ts";

/** Shortest time between two attempts while earlier ones have not failed yet, in milliseconds. */
const MIN_PAUSE_MS = 100;

/**
 * Period in which none of a server's addresses can be reached. Calls wait for it to end. A few at a time try again,
 * after the addresses have rested.
 */
export class Outage {
  readonly #addresses: readonly Address[];
  readonly #line: WaitingLine<void>;
  /** Number of calls that try at the same time: as many as there are connections. */
  readonly #tries: number;
  #isOn = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(addresses: readonly Address[], settings: PoolSettings) {
    this.#addresses = addresses;
    this.#tries = settings.size;
    const origins = addresses.map(({ origin }) => origin);
    this.#line = new WaitingLine({ settings, origins, hasConnection: () => false });
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Begins the outage, since no address could be reached. */
  begin(error: unknown): void {
    this.#isOn = true;
    this.#line.beginOutage(error);
  }

  /** Resolves when the call may try. @throws ConnectError as {@link WaitingLine.wait}. */
  wait(call: WaitingCall): Promise<void> {
    const turn = this.#line.wait(call);
    this.#retryLater();
    return turn;
  }

  /** Returns the error of a call that was ended while it tried to connect. */
  ended(reason: unknown): ConnectError {
    return this.#line.ended(reason);
  }

  /** Ends the outage, since a connection was made. */
  end(): void {
    this.#line.endOutage();
    this.#isOn = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#line.size > 0) this.#line.serve();
  }

  /** Rejects all waiting calls, since the client is closed. */
  rejectAll(error: unknown): void {
    clearTimeout(this.#timer);
    this.#line.rejectAll(error);
  }

  #retryLater(): void {
    if (this.#timer || this.#line.size === 0) return;
    const restMs = Math.min(...this.#addresses.map((address) => address.restMs));
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        for (let tries = 0; tries < this.#tries; tries++) this.#line.serve();
        // The calls that try may be canceled before they have a result, so the next ones follow in any case.
        this.#retryLater();
      },
      Math.max(MIN_PAUSE_MS, restMs),
    ).unref();
  }
}
