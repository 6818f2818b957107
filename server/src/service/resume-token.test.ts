import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { InvalidArgumentError, OtherDatabaseError } from "../domain/errors.ts";
import { PageTokens } from "./page-token.ts";
import { ResumeTokens } from "./resume-token.ts";

const key = randomBytes(32);
const tokens = new ResumeTokens(key);
const epoch = "0123456789abcdef";
const place = "0000000002s";

test("a token decodes to its place, for its filter", () => {
  const token = tokens.encode(epoch, place, "[]");
  expect(token).toMatch(/^[\w-]{48}$/);
  expect(tokens.decode(token, epoch, "[]")).toBe(place);
  expect(() => tokens.decode(token, epoch, '["ada"]')).toThrow(InvalidArgumentError);
});

test("a token of another epoch is told apart from a wrong one, whatever its key", () => {
  const other = "fedcba9876543210";
  expect(() => tokens.decode(tokens.encode(other, place, "[]"), epoch, "[]")).toThrow(OtherDatabaseError);
  const foreign = new ResumeTokens(randomBytes(32));
  expect(() => tokens.decode(foreign.encode(other, place, "[]"), epoch, "[]")).toThrow(OtherDatabaseError);
  // The control: with the same epoch, the token is a forgery.
  expect(() => tokens.decode(foreign.encode(epoch, place, "[]"), epoch, "[]")).toThrow(InvalidArgumentError);
});

test("what is no token is refused, and so is one with any bit changed", () => {
  const page = new PageTokens(key).encode({ value: 1, id: place }, "");
  const token = tokens.encode(epoch, place, "[]");
  for (const text of ["x", "d3d3", page, `${token}=`, `${token}A`, token.slice(0, -4)]) {
    expect(() => tokens.decode(text, epoch, "[]"), text).toThrow(InvalidArgumentError);
  }
  const bytes = Buffer.from(token, "base64url");
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(() => tokens.decode(changed.toString("base64url"), epoch, "[]")).toThrow(
      /^(invalid resume token|resume token is of)/,
    );
  }
});
