import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startPostgres } from "@rollcall/testing/start-postgres";
import { expect, onTestFinished, test, vi } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import { DatabaseOpenError } from "../database-open.ts";
import { newUser } from "../new-user.contract.ts";
import type { EqualEmails } from "../search-keys.ts";
import { openPostgres } from "./open.ts";
import type { OpenPostgresOptions } from "./options.ts";
import { openPostgresUserRepository } from "./user-repository.ts";

const PASSWORD = "hunter2";

const postgres = await sharedPostgres();

const open = async (url: string, options: Partial<OpenPostgresOptions> = {}) => {
  const pool = await openPostgres({ address: addressOf(url), timeoutMs: 60_000, ...options });
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.close() });
};

/** Returns the reason why a database can't be opened. */
async function refusal(url: string, options: Partial<OpenPostgresOptions> = {}): Promise<string> {
  const error: unknown = await open(url, { startTimeoutMs: 0, ...options }).then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(DatabaseOpenError);
  const { message } = error as DatabaseOpenError;
  expect(message).not.toContain(PASSWORD);
  return message.replace(/127\.0\.0\.1:\d+/, "<address>");
}

test("starts at the same time bring one schema up to date, with one key", async () => {
  const url = await postgres.createSchema();
  const opening = Array.from({ length: 8 }, () =>
    openPostgresUserRepository({ address: addressOf(url), timeoutMs: 60_000 }),
  );
  const opened = await Promise.all(opening);
  const keys = await Promise.all(opened.map((users) => users.pageTokenKey()));
  expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(1);
  await Promise.all(opened.map((users) => users.insert(newUser())));
  await Promise.all(opened.map((users) => users.close()));
  expect(await postgres.query("SELECT step FROM rollcall_schema", url)).toEqual([{ step: 1 }, { step: 2 }]);
});

test("waits for a server that changes the schema, and says so once", async () => {
  const url = await postgres.createSchema();
  const messages: string[] = [];
  const holding = postgres.query("BEGIN; SELECT pg_advisory_xact_lock(x'526f6c6c63616c6c'::bigint), pg_sleep(600)");
  holding.catch(() => {});
  const sleepers = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
  await expect.poll(() => postgres.query(`SELECT pid ${sleepers}`)).toHaveLength(1);
  const opening = open(url, { onNotice: ({ message }) => messages.push(message) });
  await expect.poll(() => messages).toHaveLength(1);
  await postgres.query(`SELECT pg_terminate_backend(pid) ${sleepers}`);
  await using _pool = await opening;
  expect(messages[0]).toMatch(
    /^waiting for another server that changes the schema of PostgreSQL database "postgres" at /,
  );
  expect(messages).toHaveLength(1);
});

test("a schema of a newer version is refused by its number, and left alone", async () => {
  const url = await postgres.createSchema();
  await (await open(url)).close();
  await postgres.query("INSERT INTO rollcall_schema VALUES (999)", url);
  expect(await refusal(url)).toBe(
    'PostgreSQL database "postgres" at <address> was made by a newer version of Rollcall (schema 999, this one knows 2); start that version',
  );
});

test("another program's tables are refused, and left alone", async () => {
  const url = await postgres.createSchema();
  await postgres.query("CREATE TABLE users (id integer)", url);
  expect(await refusal(url)).toMatch(
    /has a table "users" of another program; set DATABASE_URL to a database of Rollcall's/,
  );
  expect(await postgres.query("SELECT to_regclass('rollcall_schema') AS steps", url)).toEqual([{ steps: null }]);
});

test("a step that fails leaves nothing, and is taken by the next start", async () => {
  const url = await postgres.createSchema();
  await postgres.query("CREATE TABLE write_slots (x integer)", url);
  await expect(open(url)).rejects.toThrow('"write_slots" already exists');
  expect(await postgres.query("SELECT to_regclass('users') AS users", url)).toEqual([{ users: null }]);
  await postgres.query("DROP TABLE write_slots", url);
  await using _pool = await open(url);
});

test("what keeps a database from being opened is said in words, with what to do and without the password", async () => {
  const urlOf = (database: string, name = "postgres") => postgres.urlOf(database, { name, password: PASSWORD });
  const good = new URL(postgres.urlOf("postgres"));
  expect(await refusal(urlOf("postgres"))).toBe(
    'PostgreSQL database "postgres" at <address> refuses the password of user "postgres"; correct it in DATABASE_URL',
  );
  expect(await refusal(urlOf("postgres", "nobody"))).toContain('refuses the password of user "nobody"');
  expect(await refusal(urlOf("postgres").replace(`:${PASSWORD}`, ""))).toBe(
    'PostgreSQL database "postgres" at <address> asks for a password of user "postgres"; add it to DATABASE_URL',
  );
  good.pathname = "/nowhere";
  expect(await refusal(good.href)).toBe(
    'PostgreSQL database "nowhere" at <address> does not exist; create it (CREATE DATABASE nowhere), or correct DATABASE_URL',
  );
  expect(await refusal(`postgres://me:${PASSWORD}@127.0.0.1:1/x`)).toContain("can't be reached (ECONNREFUSED)");
  expect(await refusal(`postgres://me:${PASSWORD}@nowhere.invalid/x`)).toMatch(
    /can't be reached \((ENOTFOUND|EAI_AGAIN)\)/,
  );
  expect(await refusal(`${postgres.urlOf("postgres")}?sslmode=verify-full`)).toContain("does not speak TLS");
  expect(await refusal(`postgres://me:${PASSWORD}@/x?host=/nowhere`)).toContain("can't be reached (ENOENT)");
  await postgres.query(`CREATE ROLE reader LOGIN PASSWORD '${PASSWORD}'`);
  expect(await refusal(urlOf("postgres", "reader"))).toMatch(/refuses user "reader" \(.*\); grant it CREATE and USAGE/);
  const latin = "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0";
  await postgres.query(latin);
  expect(await refusal(postgres.urlOf("latin"))).toContain("has another encoding than UTF8");
  const url = await postgres.createDatabase();
  await postgres.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET synchronous_commit = off`);
  expect(await refusal(url)).toContain("has synchronous_commit off, so that a power cut loses what was answered");
});

test("a password that DATABASE_URL lacks is not taken from the environment", async () => {
  const url = new URL(await postgres.createSchema());
  vi.stubEnv("PGPASSWORD", url.password);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  url.password = "";
  expect(await refusal(url.href)).toContain("asks for a password of user");
});

test("waits for a server that is not up yet, says so once, and gives up in words", async () => {
  await using late = await startPostgres();
  const url = await late.createDatabase();
  await late.stop();
  const messages: string[] = [];
  const opening = open(url, { startTimeoutMs: 60_000, onNotice: ({ message }) => messages.push(message) });
  await expect.poll(() => messages).toHaveLength(1);
  await late.start();
  await (await opening).close();
  expect(messages).toEqual([expect.stringMatching(/^waiting: PostgreSQL database "test_1" at .* can't be reached/)]);
  await late.stop();
  expect(await refusal(url, { startTimeoutMs: 1_000 })).toMatch(
    /nothing listens there; start PostgreSQL.*\(tried for 1 s\)$/,
  );
});

test("search keys of an earlier version are made anew", async () => {
  const url = await postgres.createSchema();
  const options = { address: addressOf(url), timeoutMs: 60_000 };
  const users = await openPostgresUserRepository(options);
  const [street, twin] = [
    await users.insert(newUser({ name: "Straße Ö", email: "ö@example.com" })),
    await users.insert(newUser({ email: "ß@example.com" })),
  ];
  await users.close();
  const reset = `
    UPDATE properties SET value = '0' WHERE name = 'search_keys';
    UPDATE users SET name_key = 'old', words = ' old' WHERE id = '${street.id}';
    DELETE FROM user_words WHERE user_id = '${street.id}';
    INSERT INTO user_words VALUES ('old', '${street.id}');
    UPDATE users SET email_key = 'old' WHERE id = '${twin.id}';
    INSERT INTO users SELECT 'other', 'ss@example.com', 'ss@example.com', 'x', 'x', ' x', 1, 1, 1`;
  for (const statement of reset.split(";")) await postgres.query(statement, url);
  const seen: EqualEmails[] = [];
  const again = await openPostgresUserRepository({ ...options, onEqualEmails: (emails) => seen.push(emails) });
  expect(await again.list({ limit: 9, words: ["strasse", "ö"] })).toEqual([street]);
  expect(await again.list({ limit: 9, words: ["old"] })).toEqual([]);
  await again.close();
  const keys = await postgres.query("SELECT email_key FROM users ORDER BY email_key", url);
  expect(keys.map(({ email_key }) => email_key)).toEqual(["old", "ss@example.com", "ö@example.com"]);
  expect(seen).toEqual([{ count: 1, userIds: [twin.id] }]);
});
