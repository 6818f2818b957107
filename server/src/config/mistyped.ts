/**
 * Most changes of a known name that are counted as a typo. Beyond two it is more likely another name; a short name may
 * differ in one letter only.
 */
const MAX_EDITS = 2;
const SHORT_NAME_LENGTH = 5;

/** Returns the known name that is probably meant. Undefined if the name is known itself, or is not close to any. */
export function findMistyped(name: string, knownNames: Iterable<string>): string | undefined {
  const known = new Set(knownNames);
  if (known.has(name)) return undefined;
  const upper = name.toUpperCase();
  const near = [...known].map((other) => ({ other, edits: editsBetween(upper, other) }));
  const { other, edits } = near.reduce((best, one) => (one.edits < best.edits ? one : best));
  return edits <= (name.length < SHORT_NAME_LENGTH ? 1 : MAX_EDITS) ? other : undefined;
}

/**
 * Returns the number of edits that turn one word into the other. An edit changes, adds or removes a letter, or swaps
 * two neighbours (optimal string alignment distance).
 */
function editsBetween(a: string, b: string): number {
  let twoAgo: number[] = [];
  let before = Array.from({ length: b.length + 1 }, (_, length) => length);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let edits = Math.min((before[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (before[j - 1] ?? 0) + (isSame ? 0 : 1));
      const isExchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isExchanged) edits = Math.min(edits, (twoAgo[j - 2] ?? 0) + 1);
      row.push(edits);
    }
    twoAgo = before;
    before = row;
  }
  return before[b.length] ?? 0;
}
