/**
 * Size up to which a request's body can be sent again, in bytes. The first chunk always can be, whatever its size; a
 * unary call has no other.
 */
const KEPT_BYTES = 64 * 1_024;

/** Remembers the beginning of a body, so that a request that no server has received can be sent again. */
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
   * Resolves with the size of the first chunk, in bytes, which is a unary call's whole body. The chunk can still be
   * read. Rejects like the source, and may never settle if the source is slow.
   */
  async firstChunkBytes(): Promise<number> {
    const [kept] = this.#kept;
    if (kept) return kept.byteLength;
    const result = await this.#pull();
    return result.done ? 0 : result.value.byteLength;
  }

  /** Yields the body from its first byte on. Before it is read again, the reader before must have stopped. */
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

  /** Releases the source. */
  release(): void {
    this.#forget();
    // Not awaited: a source that is stuck in a read may never answer.
    this.#source.return?.()?.catch(() => {});
  }

  /** If an earlier reader has left a read waiting, the next reader gets its result. */
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
