import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { searchKey } from "./user.ts";

/** Returns each character that case folding changes, with its folding. */
function readFoldings(): Map<string, string> {
  const foldings = new Map<string, string>();
  for (const line of readFileSync(join(import.meta.dirname, "case-folding.txt"), "utf8").split("\n")) {
    const [, first = "", last = first, step = "1", target = ""] =
      /^([\dA-F]+)(?:\.\.([\dA-F]+))?(?:\/(\d))? ([\dA-F ]+)$/.exec(line) ?? [];
    const targets = target.split(" ").map((code) => Number.parseInt(code, 16));
    const start = Number.parseInt(first, 16);
    for (let code = start; code <= Number.parseInt(last, 16); code += Number(step)) {
      const folded = targets.length > 1 ? targets : targets.map((each) => each + code - start);
      foldings.set(String.fromCodePoint(code), String.fromCodePoint(...folded));
    }
  }
  return foldings;
}

const foldings = readFoldings();

/**
 * Folds a text by the reference definition: canonical caseless matching (Unicode 17.0, 3.13, D145). The dotless ı
 * counts as an i here too, since both have the same capital.
 */
function fold(text: string): string {
  let folded = "";
  for (const char of text.normalize("NFD")) folded += char === "ı" ? "i" : (foldings.get(char) ?? char);
  return folded.normalize("NFD");
}

/** Returns the texts that are equal to another one by `key` but not by the reference, or the other way round. */
function disagreements(texts: readonly string[], key: (text: string) => string): string[] {
  const folds = new Map<string, string>();
  const keys = new Map<string, string>();
  const remember = (map: Map<string, string>, from: string, to: string): boolean => {
    const known = map.get(from);
    if (known === undefined) map.set(from, to);
    return known === undefined || known === to;
  };
  // Most characters are their own key and their own folding. They matter only if another text becomes one of them.
  const changed = texts.flatMap((text) => {
    const [ours, theirs] = [key(text), fold(text)];
    return ours === text && theirs === text ? [] : [{ text, ours, theirs }];
  });
  const isChanged = new Set(changed.map(({ text }) => text));
  const reached = new Set(changed.flatMap(({ ours, theirs }) => [ours, theirs]));
  const unchanged = texts.filter((text) => reached.has(text) && !isChanged.has(text));
  return [...unchanged.map((text) => ({ text, ours: text, theirs: text })), ...changed]
    .filter(({ ours, theirs }) => !remember(folds, ours, theirs) || !remember(keys, theirs, ours))
    .map(({ text }) => text);
}

/** All code points except surrogates, which no arriving text has. */
const characters: string[] = [];
for (let code = 0; code <= 0x10ffff; code++) {
  if (code < 0xd800 || code > 0xdfff) characters.push(String.fromCodePoint(code));
}
/**
 * Texts of several characters: foldings of that kind beside the texts they fold to, and combining marks that fold, in
 * either order.
 */
const sequences = [...foldings.values(), "ss", "SS", "ΆΙ", "α\u0345\u0301", ..."ᾳῃῳΐΰἀß"].flatMap((text) => [
  text,
  text.toUpperCase(),
]);

test("the table of foldings is complete", () => {
  expect(foldings.size).toBe(1_585);
  // The characters with case folding, according to JavaScript's regular expressions.
  const missing = characters.filter((char) => /\p{Changes_When_Casefolded}/u.test(char) && !foldings.has(char));
  expect(missing.filter((char) => char.normalize("NFD") === char)).toEqual([]);
});

test("search keys are equal exactly where Unicode's caseless match says so, over all code points", () => {
  expect(disagreements([...characters, ...sequences], searchKey)).toEqual([]);
  const texts = [...foldings.keys(), ...sequences];
  expect(texts.filter((text) => searchKey(searchKey(text)) !== searchKey(text))).toEqual([]);
});

test("the comparison detects a key that normalises only once", () => {
  const keyBefore = (text: string) => text.normalize("NFC").toUpperCase().toLowerCase().replaceAll("ς", "σ");
  const texts = [...sequences, ...foldings.keys()];
  expect(disagreements(texts, keyBefore)).toEqual(expect.arrayContaining(["ẞ", "ΐ".toUpperCase()]));
});

test.each([
  ["STRAẞE", "straße"],
  ["STRASSE", "straße"],
  ["ΑΫ́ΠΝΟΣ", "αΰπνος"],
  ["ΐ", "Ϊ́"],
  ["Σίσυφος", "ΣΊΣΥΦΟΣ"],
  ["Zoé", "ZOE\u0301"],
  ["ﬁn", "FIN"],
  ["ＡＤＡ", "ａｄａ"],
  ["IŞIK", "ışık"],
  ["\u{10400}", "\u{10428}"],
])("%s and %s are the same", (one, other) => {
  expect(searchKey(one)).toBe(searchKey(other));
});

test.each([
  ["Ａ", "a"],
  ["é", "e"],
])("%s and %s are different", (one, other) => {
  expect(searchKey(one)).not.toBe(searchKey(other));
});
