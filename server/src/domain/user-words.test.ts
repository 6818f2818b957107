import { expect, test } from "vitest";
import { wordsOfFilter, wordsOfUser } from "./user-words.ts";

test("words are split at white space and the separators of e-mails, folded, and each there once", () => {
  const user = { name: " Ada\u00a0LOVELACE\u3000ada  O'Neil (x)", email: "Ada.King-Noel_l+News@mail.example.com" };
  expect(wordsOfUser(user)).toEqual(
    ["ada", "lovelace", "o'neil", "(x)", "king", "noel", "l", "news", "mail", "example", "com"].sort(),
  );
});

test("a filter's words are those that no other one implies", () => {
  expect(wordsOfFilter("@Example.com")).toEqual(["com", "example"]);
  expect(wordsOfFilter("a ada ad b adb ADA")).toEqual(["ada", "adb", "b"]);
  for (const filter of ["", " ", "@", " .-_+@\u2003"]) expect(wordsOfFilter(filter)).toEqual([]);
});

test("every white space separates, and nothing else but the separators", () => {
  const separators: string[] = [];
  for (let code = 0; code <= 0xffff; code++) {
    const char = String.fromCharCode(code);
    if (code >= 0xd800 && code <= 0xdfff) continue;
    if (wordsOfUser({ name: `a${char}z`, email: "" }).length === 2) separators.push(char);
  }
  const whiteSpace = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a";
  expect(separators.join("")).toBe([...`${whiteSpace}\u2028\u2029\u202f\u205f\u3000@.-_+`].sort().join(""));
});

test("names and e-mails of the greatest length have a bounded number of words", () => {
  const letters = Array.from({ length: 227 }, (_, index) => String.fromCodePoint(0x4e00 + index));
  const user = { name: letters.slice(0, 100).join(" ").padEnd(200), email: letters.slice(100).join(".").padEnd(254) };
  expect(wordsOfUser(user)).toHaveLength(227);
});
