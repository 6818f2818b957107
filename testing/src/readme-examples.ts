/** Returns the examples of a README that have these words after their opening fence. */
export function examplesIn(readme: string, info: string): string[] {
  return [...readme.matchAll(/^```([^\n]+)\n(.*?)^```/gms)].flatMap(([, words, code = ""]) =>
    words === info ? [code] : [],
  );
}
