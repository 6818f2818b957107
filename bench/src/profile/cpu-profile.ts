/** A profile as V8's debugger writes it (Profiler.Profile). */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Ids of nodes, one a sample. */
  readonly samples?: readonly number[] | undefined;
  /** Time before each sample, in microseconds. */
  readonly timeDeltas?: readonly number[] | undefined;
}

export interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly children?: readonly number[] | undefined;
}

export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** Share of the time that one place takes. */
export interface Share {
  readonly place: string;
  /** Share of all time in which the process was busy, 0 to 1. */
  readonly share: number;
  /** Its most expensive functions, with their shares of all time. */
  readonly functions: readonly { readonly name: string; readonly share: number }[];
}

const MOST_FUNCTIONS = 4;
const IDLE = "(idle)";
/** Names that V8 reports in place of a function, with their meaning. */
const NO_FUNCTIONS: Readonly<Record<string, string>> = {
  "(garbage collector)": "garbage collection",
  "(program)": "native code: sockets, nghttp2, the kernel",
  "(root)": "native code: sockets, nghttp2, the kernel",
};

/**
 * Adds up the time of a profile by places; idle time is left out. Native functions count for the function that called
 * them.
 *
 * @param placeOf Returns the place of a function with a URL.
 * @returns Places, the most expensive first.
 */
export function sharesOf(profile: CpuProfile, placeOf: (frame: CallFrame) => string): Share[] {
  const times = timesOf(profile);
  const callers = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)),
  );
  const byPlace = new Map<string, Map<string, number>>();
  let busy = 0;
  for (const node of profile.nodes) {
    const time = times.get(node.id) ?? 0;
    if (time === 0 || node.callFrame.functionName === IDLE) continue;
    busy += time;
    const place = placeOfNode(node, callers, placeOf);
    const functions = byPlace.get(place) ?? new Map<string, number>();
    byPlace.set(place, functions);
    const name = node.callFrame.functionName || "(anonymous)";
    functions.set(name, (functions.get(name) ?? 0) + time);
  }
  const shares = [...byPlace].map(([place, functions]) => {
    const longest = [...functions].toSorted(([, a], [, b]) => b - a);
    const total = longest.reduce((sum, [, time]) => sum + time, 0);
    const named = longest.filter(([name]) => !(name in NO_FUNCTIONS)).slice(0, MOST_FUNCTIONS);
    return { place, share: total / busy, functions: named.map(([name, time]) => ({ name, share: time / busy })) };
  });
  return shares.toSorted((a, b) => b.share - a.share);
}

function timesOf({ samples = [], timeDeltas = [] }: CpuProfile): Map<number, number> {
  const times = new Map<number, number>();
  for (const [index, id] of samples.entries())
    times.set(id, (times.get(id) ?? 0) + Math.max(0, timeDeltas[index] ?? 0));
  return times;
}

function placeOfNode(
  node: ProfileNode,
  callers: ReadonlyMap<number, ProfileNode>,
  placeOf: (frame: CallFrame) => string,
): string {
  for (let one: ProfileNode | undefined = node; one; one = callers.get(one.id)) {
    const { functionName, url } = one.callFrame;
    const noFunction = NO_FUNCTIONS[functionName];
    if (noFunction !== undefined) return noFunction;
    if (url !== "") return placeOf(one.callFrame);
  }
  return "native code: sockets, nghttp2, the kernel";
}
