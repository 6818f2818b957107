import type { Address } from "./address.ts";
import type { PoolSettings } from "./pool-options.ts";
import type { WaitingLine } from "./waiting-line.ts";

/** Shortest time between two attempts while earlier ones have not failed yet, in milliseconds. */
const MIN_PAUSE_MS = 100;

export interface OutageOptions {
  readonly addresses: readonly Address[];
  readonly settings: PoolSettings;
  /** Calls that wait. */
  readonly line: WaitingLine<unknown>;
  /** Lets so many of them try, if there is room. */
  readonly serve: (most: number) => void;
}

/**
 * Period in which none of a server's addresses can be reached. Calls wait for it to end. A few at a time try again,
 * after the addresses have rested.
 */
export class Outage {
  readonly #options: OutageOptions;
  #isOn = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Begins the outage, since no address could be reached. */
  begin(error: unknown): void {
    this.#isOn = true;
    this.#options.line.beginOutage(error);
  }

  /** Ends the outage, since a connection was made. */
  end(): void {
    this.#options.line.endOutage();
    this.#isOn = false;
    this.stop();
  }

  /** Makes no more tries until calls wait again. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Lets waiting calls try again once an address has rested. Outside of an outage this matters if one rests, or if there
   * are several: calls that wait for one that is busy can then use one that is back.
   */
  retryLater(): void {
    const { addresses, settings, line, serve } = this.#options;
    if (this.#timer || line.size === 0) return;
    if (!this.#isOn && addresses.length === 1 && !addresses[0]?.isResting) return;
    const restMs = Math.min(...addresses.map((address) => address.restMs));
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        // As many as there are connections.
        serve(settings.size);
        // The calls that try may be canceled before they have a result, so the next ones follow in any case.
        this.retryLater();
      },
      Math.max(MIN_PAUSE_MS, restMs),
    ).unref();
  }
}
