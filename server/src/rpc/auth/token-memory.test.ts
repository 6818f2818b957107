import { expect, test } from "vitest";
import { createTokenMemory } from "./token-memory.ts";
import type { TokenVerifier } from "./token-verifier.ts";

/** Creates a memory before a verifier that counts its calls, and accepts all tokens but "bad". */
function remembering({ maxTokens }: { maxTokens?: number } = {}) {
  const state = { nowMs: 0, version: 1 as number | undefined, verified: 0 };
  const verify = async (token: string) => {
    state.verified += 1;
    if (token === "bad") throw new Error("bad");
    return { subject: token, scopes: new Set<string>(), expiresAtMs: 1_000 };
  };
  const verifyToken: TokenVerifier = Object.assign(verify, { keyVersion: () => state.version });
  const memory = createTokenMemory({ verifyToken, now: () => state.nowMs, maxTokens });
  const call = async (token: string, header = `Bearer ${token}`) =>
    memory.recall(header) ?? (await memory.verify(token, header));
  return { state, call };
}

test("a good token is verified once, until it expires", async () => {
  const { state, call } = remembering();
  for (let i = 0; i < 3; i++) expect((await call("a")).subject).toBe("a");
  expect(state.verified).toBe(1);
  state.nowMs = 1_000;
  await call("a");
  expect(state.verified).toBe(2);
});

test("other keys, and keys that are due, have all tokens verified again", async () => {
  const { state, call } = remembering();
  await call("a");
  state.version = 2;
  await call("a");
  expect(state.verified).toBe(2);
  state.version = undefined;
  for (let i = 0; i < 2; i++) await call("a");
  expect(state.verified).toBe(4);
});

test("a bad token and a second spelling of a good one are not remembered", async () => {
  const { state, call } = remembering();
  for (let i = 0; i < 2; i++) await expect(call("bad")).rejects.toThrow("bad");
  for (let i = 0; i < 2; i++) await call("a", "Bearer   a");
  expect(state.verified).toBe(4);
});

test("the oldest token makes room", async () => {
  const { state, call } = remembering({ maxTokens: 2 });
  for (const token of ["a", "b", "c"]) await call(token);
  await call("c");
  expect(state.verified).toBe(3);
  await call("a");
  expect(state.verified).toBe(4);
});
