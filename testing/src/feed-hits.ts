/** Counts of what a feed's run is for. Its result means nothing while they are too low. */
export interface FeedHits {
  /** Number of times that a watcher was cut off and resumed. */
  readonly resumes: number;
  /** Number of times that it did so right after a `progress`. */
  readonly resumesBehindProgress: number;
  /** Number of times that a watcher was told to begin anew. */
  readonly resets: number;
  /** Number of times that `synced` came when all earlier writes had arrived. */
  readonly readsOfWrites: number;
  /** Number of times that the log was trimmed right after a removal. */
  readonly cutsAtRemovals: number;
  /** Number of times that a change was committed after one with a later number. */
  readonly overtaken: number;
}

/** Returns the least hits of a run with watchers of the whole matrix, whose log is trimmed. */
export function hitsOfMatrix(replicas: 1 | 2): Partial<FeedHits> {
  // One replica has SQLite, where no change overtakes another.
  const overtaken = replicas - 1;
  return { resumes: 51, resumesBehindProgress: 1, resets: 1, readsOfWrites: 1, cutsAtRemovals: 1, overtaken };
}

/** Least hits of a run with watchers in pages, of whom there are few. */
export const HITS_OF_PAGES: Partial<FeedHits> = {
  resumes: 11,
  resumesBehindProgress: 1,
  readsOfWrites: 1,
  cutsAtRemovals: 1,
};

/** Returns the counts that are too low, in words. */
export function missingHits(hits: FeedHits, least: Partial<FeedHits>): string[] {
  const names = Object.keys(least) as (keyof FeedHits)[];
  return names.filter((name) => hits[name] < (least[name] ?? 0)).map((name) => `${name}: ${hits[name]}`);
}
