import { mkdir, mkdtempDisposable, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenVerifier } from "@rollcall/server";
import { loadDevelopmentKey } from "@rollcall/shared/settings/development-key";
import { rollcallInside } from "@rollcall/testing/run-rollcall";
import { expect, test } from "vitest";

test("token mint signs with AUTH_SECRET, or with the development key beside the database", async () => {
  await using dir = await mkdtempDisposable(join(tmpdir(), "rollcall-cli-"));
  const args = ["token", "mint", "--sub", "ada", "--scope", "users:read streams", "--ttl", "2h"];
  const secret = "0123456789abcdef0123456789abcdef";
  const withSecret = await rollcallInside(args, {
    env: { AUTH_SECRET: secret, AUTH_ISSUER: "me", AUTH_AUDIENCE: "you" },
  });
  const keys = { secret: new TextEncoder().encode(secret) };
  const verify = createTokenVerifier({ keys, issuer: "me", audience: "you" });
  const principal = await verify(withSecret.stdout.trim());
  expect(principal).toMatchObject({ subject: "ada", scopes: new Set(["users:read", "streams"]) });
  expect(principal.expiresAtMs - Date.now()).toBeGreaterThan(7_100_000);

  const noKey = await rollcallInside(args, { env: { DATABASE_URL: `sqlite:${dir.path}/rollcall.db` } });
  expect(noKey).toMatchObject({ code: 2, stderr: expect.stringContaining("development.key") });
  expect(await readdir(dir.path)).toEqual([]);
  const key = loadDevelopmentKey(join(dir.path, "development.key"));
  const withKey = await rollcallInside([...args, "--json"], {
    env: { DATABASE_URL: `sqlite:${dir.path}/rollcall.db` },
  });
  const { token } = JSON.parse(withKey.stdout);
  expect(await createTokenVerifier({ keys: { secret: key } })(token)).toMatchObject({ subject: "ada" });

  const keyPath = join(dir.path, "none", "development.key");
  await mkdir(keyPath, { recursive: true });
  const unreadable = await rollcallInside(args, { env: { DATABASE_URL: `sqlite:${dir.path}/none/rollcall.db` } });
  expect(unreadable).toEqual({
    code: 2,
    stdout: "",
    stderr: `rollcall: the development key ${keyPath} is a folder, not a file\n`,
  });

  const inMemory = await rollcallInside(args, { env: { DATABASE_URL: "sqlite::memory:" } });
  expect(inMemory).toMatchObject({ code: 2, stderr: expect.stringContaining("set AUTH_SECRET") });
  const short = await rollcallInside(args, { env: { AUTH_SECRET: "short" } });
  expect(short).toMatchObject({ code: 2, stderr: expect.stringContaining("AUTH_SECRET") });
});

test("token mint refuses scopes that do not exist, and names those that do", async () => {
  const mint = (scope: string) =>
    rollcallInside(["token", "mint", "--sub", "ada", "--scope", scope], { env: { AUTH_SECRET: "s".repeat(32) } });
  const known = "there are users:read, users:write, streams";
  for (const [scope, problem] of [
    ["users:raed streams", 'there is no scope "users:raed"'],
    ["users:read,streams", 'there is no scope "users:read,streams"'],
    ["Streams a", 'there is no scope "Streams", "a"'],
    [" ", "a scope is missing"],
  ] as const) {
    const { code, stdout, stderr } = await mint(scope);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`rollcall: --scope: ${problem}; ${known}`);
  }
  const { code, stdout } = await mint("users:read  users:write streams users:read");
  expect(code).toBe(0);
  const verify = createTokenVerifier({ keys: { secret: new TextEncoder().encode("s".repeat(32)) } });
  expect(await verify(stdout.trim())).toMatchObject({ scopes: new Set(["users:read", "users:write", "streams"]) });
});

test("token mint reads the .env file, and no setting that it has no need of", async () => {
  await using dir = await mkdtempDisposable(join(tmpdir(), "rollcall-cli-"));
  const secrets = { file: `${"f".repeat(32)}#`, environment: "e".repeat(32) };
  const write = (text: string) => writeFile(join(dir.path, ".env"), text);
  const args = ["token", "mint", "--sub", "ada", "--scope", "streams"];
  const run = async (env: Record<string, string>) => {
    const { stdout, ...rest } = await rollcallInside(args, { env, rootDir: dir.path });
    return { ...rest, stdout: stdout.trim() };
  };
  const verifier = (secret: string) => createTokenVerifier({ keys: { secret: new TextEncoder().encode(secret) } });
  await write(`\ufeffAUTH_SECRET='${secrets.file}'\nHOST=0.0.0.0\nDATABASE_URL=nonsense\n`);
  expect(await verifier(secrets.file)((await run({})).stdout)).toMatchObject({ subject: "ada" });
  const { stdout: token } = await run({ AUTH_SECRET: secrets.environment });
  expect(await verifier(secrets.environment)(token)).toMatchObject({ subject: "ada" });

  await write(`HOST=::1\nAUTH_SECRET=${secrets.file}\n`);
  expect(await run({})).toEqual({
    code: 2,
    stdout: "",
    stderr: "rollcall: .env line 2: AUTH_SECRET: a secret with a # in it must be in quotes\n",
  });
});
