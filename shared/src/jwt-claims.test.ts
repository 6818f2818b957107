import { expect, test } from "vitest";
import { readJwtClaims } from "./jwt-claims.ts";

function jwt(payload: string): string {
  return `eyJhbGciOiJIUzI1NiJ9.${Buffer.from(payload).toString("base64url")}.signature`;
}

test("claims are read, in UTF-8 and in base64url", () => {
  const claims = { sub: "Ada Łovelace ÿ 😀??>>", exp: 1_700_000_000.5, scope: "users:read" };
  expect(jwt(JSON.stringify(claims))).toMatch(/[-_]/);
  expect(readJwtClaims(jwt(JSON.stringify(claims)))).toEqual(claims);
});

test.each([
  ["an empty text", ""],
  ["an opaque token", "0123456789abcdef"],
  ["a payload that is not base64", "eyJ.%%%.signature"],
  ["a payload that is not JSON", jwt("{")],
  ["a payload that is a number", jwt("1")],
  ["a payload that is null", jwt("null")],
])("%s has no claims", (_, token) => {
  expect(readJwtClaims(token)).toBeUndefined();
});
