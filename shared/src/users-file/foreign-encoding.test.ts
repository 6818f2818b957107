import { expect, test } from "vitest";
import { foreignEncoding } from "./foreign-encoding.ts";

/** Encodes a text, big-endian if `isBig`. */
function encode(text: string, bytesPerCharacter: 2 | 4, isBig: boolean): Buffer {
  const bytes = Buffer.alloc(text.length * bytesPerCharacter);
  for (let index = 0; index < text.length; index++) {
    const start = index * bytesPerCharacter;
    const code = text.charCodeAt(index);
    if (isBig) bytes.writeUIntBE(code, start, bytesPerCharacter);
    else bytes.writeUIntLE(code, start, bytesPerCharacter);
  }
  return bytes;
}

for (const bytesPerCharacter of [2, 4] as const) {
  for (const isBig of [false, true]) {
    const name = `UTF-${bytesPerCharacter * 8}${isBig ? "BE" : "LE"}`;
    test.each(["\uFEFFemail", "\uFEFF\u0451", "email,name", "{", "e\u0451"])(`${name} is recognised by %j`, (text) => {
      expect(foreignEncoding(encode(text, bytesPerCharacter, isBig))).toBe(name);
    });
  }
}

test.each(["", "e", "\uFEFFemail", "email", "\u0451", "\u{1F600}", "\0", "\0\0", "ab\0"])("%j is UTF-8", (text) => {
  expect(foreignEncoding(Buffer.from(text))).toBeUndefined();
});

test("an encoding that can't be recognised has no name", () => {
  expect(foreignEncoding(Buffer.from("\u00e9t\u00e9", "latin1"))).toBeUndefined();
});
