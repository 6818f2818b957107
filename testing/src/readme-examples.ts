/** The examples of a README with these words behind their opening fence. */
export function examplesIn(readme: string, info: string): string[] {
  return [...readme.matchAll(/^```([^\n]+)\n(.*?)^```/gms)].flatMap(([, words, code = ""]) =>
    words === info ? [code] : [],
  );
}
