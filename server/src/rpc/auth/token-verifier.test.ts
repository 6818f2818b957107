import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { createTokenVerifier, ExpiredTokenError, InvalidTokenError } from "./token-verifier.ts";

const secret = new Uint8Array(32).fill(7);
const nowSeconds = 1_800_000_000;

/** Returns how a verifier judges the claims when its clock shows this time: "let in", or its error's class. */
async function outcomeOf(claims: object, nowMs = nowSeconds * 1_000): Promise<unknown> {
  const token = await new SignJWT({ sub: "ada", exp: nowSeconds + 60, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(secret);
  return createTokenVerifier({ keys: { secret }, now: () => nowMs })(token).then(
    () => "let in",
    (error: Error) => error.constructor,
  );
}

describe("an issuer whose clock is ahead", () => {
  test.each<[string, object, unknown]>([
    ["by 5 s, for nbf", { nbf: nowSeconds + 5 }, "let in"],
    ["by 6 s, for nbf", { nbf: nowSeconds + 6 }, InvalidTokenError],
    ["by 5 s, for iat", { iat: nowSeconds + 5 }, "let in"],
    ["by an hour, for iat, which refuses no token (RFC 7519, 4.1.6)", { iat: nowSeconds + 3_600 }, "let in"],
  ])("%s", async (_, claims, outcome) => {
    expect(await outcomeOf(claims)).toBe(outcome);
  });
});

test("a token is valid until its exp exactly, whatever leeway its nbf has", async () => {
  const exp = nowSeconds;
  expect(await outcomeOf({ exp }, exp * 1_000 - 1)).toBe("let in");
  expect(await outcomeOf({ exp }, exp * 1_000)).toBe(ExpiredTokenError);
  expect(await outcomeOf({ exp: exp + 0.5 }, exp * 1_000)).toBe("let in");
  expect(await outcomeOf({ exp }, exp * 1_000 + 5_000)).toBe(ExpiredTokenError);
  expect(await outcomeOf({ exp, nbf: exp + 60 }, exp * 1_000)).toBe(InvalidTokenError);
});
