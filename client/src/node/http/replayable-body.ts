/** A request's body up to this size can be sent again, and its first chunk, which is all of a unary call's, whatever its size. */
const KEPT_BYTES = 64 * 1_024;

/** Remembers the beginning of a body, so that a request that no server took can be sent again. */
export class ReplayableBody {
  readonly #source: AsyncIterator<Uint8Array>;
  #pending: Promise<IteratorResult<Uint8Array>> | undefined;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #canReplay = true;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** False once more has been read than is kept. */
  get canReplay(): boolean {
    return this.#canReplay;
  }

  /**
   * The size of the first chunk, in bytes: of a unary call's whole body. It stays to be
   * read. Rejects as the source does, and may never settle where the source is slow.
   */
  async firstChunkBytes(): Promise<number> {
    const [kept] = this.#kept;
    if (kept) return kept.byteLength;
    const result = await this.#pull();
    return result.done ? 0 : result.value.byteLength;
  }

  /** From the first byte on. To read again, the reader before must have stopped asking. */
  async *read(): AsyncIterable<Uint8Array> {
    for (let index = 0; ; index++) {
      const kept = this.#kept[index];
      if (kept) {
        yield kept;
      } else {
        const result = await this.#pull();
        if (result.done) return;
        yield result.value;
      }
    }
  }

  /** There is no more need for the source. */
  release(): void {
    this.#forget();
    // Not awaited: a source that is stuck in a read may never answer.
    this.#source.return?.()?.catch(() => {});
  }

  /** A read that an earlier reader has left waiting is the next one's. */
  #pull(): Promise<IteratorResult<Uint8Array>> {
    this.#pending ??= this.#source.next().then((result) => {
      this.#pending = undefined;
      if (!result.done) this.#keep(result.value);
      return result;
    });
    return this.#pending;
  }

  #keep(chunk: Uint8Array): void {
    if (!this.#canReplay) return;
    this.#kept.push(chunk);
    this.#keptBytes += chunk.byteLength;
    if (this.#keptBytes > KEPT_BYTES && this.#kept.length > 1) this.#forget();
  }

  #forget(): void {
    this.#canReplay = false;
    this.#kept = [];
  }
}
