/** Clock of a server under test. It follows the system's clock until it is set; then it stands still. */
export class TestClock {
  #read: () => number;

  /** @param read Returns milliseconds since the Unix epoch, until the clock is set. Default: the system's clock. */
  constructor(read: () => number = Date.now) {
    this.#read = read;
  }

  /** Returns milliseconds since the Unix epoch. */
  readonly now = (): number => this.#read();

  /** Sets the time. The clock then stands still. */
  set(time: Date | number): void {
    const timeMs = Number(time);
    if (!Number.isFinite(timeMs)) throw new TypeError("the time of the clock must be a date, or milliseconds");
    this.#read = () => timeMs;
  }

  /** Sets the clock to the present time plus this many milliseconds. */
  advance(ms: number): void {
    this.set(this.now() + ms);
  }
}
