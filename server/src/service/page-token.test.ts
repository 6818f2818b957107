import { createHmac, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { InvalidArgumentError } from "../domain/errors.ts";
import { PageTokens } from "./page-token.ts";

const key = randomBytes(32);
const tokens = new PageTokens(key);
const place = { value: 1_900_000_000_000, id: "01a20792-6dc3-7802-969e-6cb7527aeb30" };

test("a token decodes to its place, with the same query and key", () => {
  const token = tokens.encode(place, "ada");
  expect(token).toMatch(/^[\w-]+$/);
  expect(tokens.decode(token, "ada")).toEqual(place);
  const named = { value: 'Éva "\u{10000}', id: place.id };
  expect(tokens.decode(tokens.encode(named, "ada"), "ada")).toEqual(named);
  expect(() => tokens.decode(token, "adb")).toThrow(InvalidArgumentError);
  expect(() => new PageTokens(randomBytes(32)).decode(token, "ada")).toThrow(InvalidArgumentError);
});

test("a token with any bit changed is refused", () => {
  const bytes = Buffer.from(tokens.encode(place, ""), "base64url");
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(() => tokens.decode(changed.toString("base64url"), "")).toThrow("invalid page token");
  }
});

test("a token of the first version is refused", () => {
  const first = `${place.value} ${place.id}`;
  const mac = createHmac("sha256", key)
    .update(JSON.stringify([first, "ada"]))
    .digest()
    .subarray(0, 16);
  const token = Buffer.concat([mac, Buffer.from(first)]).toString("base64url");
  expect(() => tokens.decode(token, "ada")).toThrow("invalid page token");
});

test("a token with extra characters around it is refused", () => {
  const token = tokens.encode(place, "");
  for (const changed of [`${token}!!`, `€${token}`, `${token}=`, ` ${token}`]) {
    expect(() => tokens.decode(changed, "")).toThrow("invalid page token");
  }
});

test.each(["", "a", "=".repeat(100), "\0", "💥", "x".repeat(1_000)])("%j is refused", (text) => {
  expect(() => tokens.decode(text, "")).toThrow("invalid page token");
});
