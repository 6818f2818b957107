import type { ServerResponse } from "node:http";
import { Code, type ConnectError } from "@connectrpc/connect";
import { errorOf } from "@rollcall/testing/matrix";
import { until } from "@rollcall/testing/start-server";
import { generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, test } from "vitest";
import { audience, issuer, startIdentityProvider, startTrusting } from "./support/identity-provider.ts";

const invalid = { code: Code.Unauthenticated, rawMessage: "invalid token" };
const unavailable = { code: Code.Unavailable, rawMessage: "tokens can't be verified at the moment" };

describe("an identity provider's keys", () => {
  test("of every algorithm let their tokens in", async () => {
    await using provider = await startIdentityProvider();
    const signers = await Promise.all(
      ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"].map((alg) => provider.addKey(alg, { kid: alg })),
    );
    await using server = await startTrusting(provider);
    for (const sign of signers) await server.call(await sign());
    const { principal } = await until(() => server.log.find(({ msg }) => msg === "call"));
    expect(principal).toBe("grace");
    expect(provider.requestCount).toBe(1);
  });

  test("are fetched for a token that names a new one, but not at every invented name's bidding", async () => {
    await using provider = await startIdentityProvider();
    const signOld = await provider.addKey("ES256", { kid: "old" });
    await using server = await startTrusting(provider);
    await server.call(await signOld());
    const signNew = await provider.addKey("ES256", { kid: "new" });
    await server.call(await signNew());
    expect(provider.requestCount).toBe(2);

    const names = Array.from({ length: 100 }, (_, index) => `invented-${index}`);
    const tokens = await Promise.all(names.map((kid) => signOld({}, { kid })));
    for (const token of tokens) expect(await errorOf(server.call(token))).toMatchObject(invalid);
    expect(provider.requestCount).toBe(2);

    // After the cooldown there is exactly one fetch for all of them. At most 64 wait for it.
    server.advance(30_000);
    let hanging: ServerResponse | undefined;
    provider.answer = (_, response) => {
      hanging = response;
    };
    const refused: ConnectError[] = [];
    const calls = tokens.map(async (token) => refused.push(await errorOf(server.call(token))));
    await until(() => refused.length === 36);
    for (const error of refused) expect(error).toMatchObject(unavailable);
    await server.call(await signOld());
    hanging?.end(JSON.stringify({ keys: provider.keys }));
    await Promise.all(calls);
    for (const error of refused.slice(36)) expect(error).toMatchObject(invalid);
    expect(provider.requestCount).toBe(3);
  });

  test("that are no keys for signatures, or broken, do not spoil the others, and the log names them", async () => {
    await using provider = await startIdentityProvider();
    const { privateKey } = await generateKeyPair("ES256");
    const broken = { kty: "EC", crv: "P-256", x: "AAAA", y: "AAAA" };
    provider.keys.push(null, "text", [], {}, { kty: "RSA", kid: "same" }, { ...broken, kid: "same" });
    provider.keys.push(
      { kty: "oct", k: "c2VjcmV0", kid: "same" },
      { ...broken, use: "enc" },
      { kty: "AKP", kid: "pq" },
    );
    const first = await provider.addKey("ES256", { kid: "same" });
    const second = await provider.addKey("ES256", { kid: "same", key_ops: ["verify"] });
    const encrypting = await provider.addKey("ES256", { kid: "same", use: "enc" });
    const signing = await provider.addKey("ES256", { kid: "same", key_ops: ["sign"] });
    const otherAlg = await provider.addKey("ES256", { kid: "same", alg: "ES512" });
    await using server = await startTrusting(provider);
    await server.call(await first());
    await server.call(await second());
    for (const sign of [encrypting, signing, otherAlg]) {
      expect(await errorOf(server.call(await sign()))).toMatchObject(invalid);
    }
    const stranger = await new SignJWT().setProtectedHeader({ alg: "ES256", kid: "same" }).sign(privateKey);
    expect(await errorOf(server.call(stranger))).toMatchObject(invalid);
    const line = server.log.find(({ msg }) => String(msg).includes("left out"));
    expect(line).toMatchObject({ level: "warn", count: 6 });
    expect(JSON.stringify(line)).toContain("symmetric");
    expect(JSON.stringify(line)).not.toContain("c2VjcmV0");
  });

  test("without a name are tried one after the other, up to 16", async () => {
    await using provider = await startIdentityProvider();
    const signers = [];
    for (let index = 0; index < 17; index++) signers.push(await provider.addKey("ES256", { alg: undefined }));
    const other = await provider.addKey("ES384", { kid: "named" });
    await using server = await startTrusting(provider);
    for (const sign of [...signers.slice(0, 16), other]) await server.call(await sign());
    // Some providers name keys only in tokens.
    await server.call(await (signers[3] ?? other)(undefined, { kid: "only-in-tokens" }));
    expect(await errorOf(server.call(await (signers[16] ?? other)()))).toMatchObject(invalid);
  });

  test("let in no token that anybody could have made", async () => {
    await using provider = await startIdentityProvider();
    const sign = await provider.addKey("RS256", { kid: "1" });
    const secret = Buffer.from("0123456789abcdef0123456789abcdef");
    provider.keys.push({ kty: "oct", k: secret.toString("base64url"), kid: "1", alg: "HS256", use: "sig" });
    await using server = await startTrusting(provider);
    const claims = { scope: "users:read", sub: "root", iss: issuer, aud: audience, exp: 4_000_000_000 };
    const publicJwk = Buffer.from(JSON.stringify(provider.keys[0]));
    const hmac = (key: Uint8Array, alg: string) => new SignJWT(claims).setProtectedHeader({ alg, kid: "1" }).sign(key);
    expect(await errorOf(server.call(await hmac(secret, "HS256")))).toMatchObject(invalid);
    expect(await errorOf(server.call(await hmac(publicJwk, "HS256")))).toMatchObject(invalid);
    expect(await errorOf(server.call(await hmac(publicJwk, "HS512")))).toMatchObject(invalid);
    expect(await errorOf(server.call(new UnsecuredJWT(claims).encode()))).toMatchObject(invalid);
    expect(provider.requestCount).toBe(1);
    await server.call(await sign(claims));
  });
});
