import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";
import { EmailTakenError } from "../../domain/errors.ts";
import { wordsOfFilter } from "../../domain/user-words.ts";
import type { EqualEmails } from "../search-keys.ts";
import { sqliteMigrations } from "./migrations.ts";
import { openSqliteUserRepository } from "./user-repository.ts";

let path: string;
withFolderEach((folder) => {
  path = join(folder, "users.db");
});

/** Computes the search key as the first version did. */
const firstKey = (text: string) => text.normalize("NFC").toUpperCase().toLowerCase().replaceAll("ς", "σ");

/** Creates a database as the first version left it, with users that have these e-mails and names, the oldest first. */
function createFirst(users: readonly { email: string; name: string }[]): void {
  const database = new DatabaseSync(path);
  database.exec(`${sqliteMigrations[0]}; PRAGMA user_version = 1`);
  const insert = database.prepare("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, 1)");
  database.exec("BEGIN");
  for (const [index, { email, name }] of users.entries()) {
    insert.run(`id-${index}`, email, firstKey(email), name, firstKey(name), index, index);
  }
  database.exec("COMMIT");
  database.close();
}

function open() {
  const reports: EqualEmails[] = [];
  const users = openSqliteUserRepository({ path, onEqualEmails: (emails) => reports.push(emails) });
  const find = async (filter: string) =>
    (await users.list({ limit: 10, words: wordsOfFilter(filter) })).map(({ id }) => id);
  return Object.assign(users, { reports, find, [Symbol.asyncDispose]: () => users.close() });
}

test("keys of an earlier version are recomputed", async () => {
  const fill = Array.from({ length: 2_500 }, (_, index) => ({
    email: `${index}@example.com`,
    name: `Ünal ẞ ${index}`,
  }));
  createFirst([{ email: "a@example.com", name: "STRAẞE" }, { email: "b@example.com", name: "Ada" }, ...fill]);
  await using users = open();
  expect(await users.find("straße")).toEqual(["id-0"]);
  expect(await users.find("ünal ss 2499")).toEqual(["id-2501"]);
  expect(await users.find("ADA")).toEqual(["id-1"]);
  expect(users.reports).toEqual([]);
});

test("when e-mails become equal, one gets the key, the others keep theirs, and the server starts", async () => {
  // In the first pair, one user already has the key. The e-mails of the second pair were different in the first
  // version.
  const emails = ["ẞ@example.com", "ss@example.com", "Ϊ\u0301@a.example", "ϊ\u0301@a.example"];
  expect(new Set(emails.map(firstKey)).size).toBe(4);
  createFirst(emails.map((email) => ({ email, name: "Strauẞ" })));
  {
    await using users = open();
    expect(users.reports).toEqual([{ count: 2, userIds: ["id-0", "id-3"] }]);
    expect(await users.find("ss@")).toEqual(["id-0", "id-1"]);
    expect(await users.find("strauss")).toEqual(["id-0", "id-1", "id-2", "id-3"]);
    // A user with an old key can change everything else, and nobody else can take its e-mail.
    expect(await users.update("id-0", { name: "Other", email: emails[0] as string, updatedAtMs: 9 })).toMatchObject({
      name: "Other",
    });
    await expect(users.update("id-2", { email: "ß@example.com", updatedAtMs: 9 })).rejects.toThrow(EmailTakenError);
    await users.update("id-0", { email: "other@example.com", updatedAtMs: 9 });
    expect(await users.find("other@")).toEqual(["id-0"]);
    await users.delete("id-3");
  }
  await using users = open();
  expect(users.reports).toEqual([]);
});

test("keys are recomputed when Unicode has changed, and not on every start", async () => {
  await openSqliteUserRepository({ path }).close();
  const change = (sql: string) => {
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
  };
  change(`
    INSERT INTO users (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version)
    VALUES ('id-0', 'é', 'old-e', 'É', 'old-n', ' old', 1, 1, 1);
    INSERT INTO user_words SELECT 'old', row FROM users`);
  {
    await using users = open();
    expect(await users.find("old")).toEqual(["id-0"]);
  }
  change("UPDATE properties SET value = '2, Unicode 5.0' WHERE name = 'search_keys'");
  await using users = open();
  expect(await users.find("old")).toEqual([]);
  expect(await users.find("É")).toEqual(["id-0"]);
});
