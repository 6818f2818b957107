/** Creates a small generator of random numbers (mulberry32). The same seed gives the same numbers. */
export function createRandom(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    below,
    isOnce: (inTimes: number) => below(inTimes) === 0,
    pick: <T>(values: readonly T[]): T => values[below(values.length)] as T,
  };
}

export type Random = ReturnType<typeof createRandom>;
