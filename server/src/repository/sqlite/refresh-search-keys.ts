import type { DatabaseSync } from "node:sqlite";
import { searchKey } from "../../domain/user.ts";
import { wordsOfUser } from "../../domain/user-words.ts";
import { type EqualEmails, MAX_REPORTED, SEARCH_KEYS } from "../search-keys.ts";
import { toWordsText } from "../words-text.ts";
import { StoredWords } from "./stored-words.ts";

const ROWS_AT_ONCE = 1_000;

interface Row {
  row: number;
  id: string;
  email: string;
  emailKey: string;
  name: string;
  nameKey: string;
  words: string;
  createdAtMs: number;
}

/** Returns whether {@link refreshSearchKeys} has nothing to do. */
export function areSearchKeysCurrent(database: DatabaseSync): boolean {
  return database.prepare("SELECT value FROM properties WHERE name = 'search_keys'").get()?.value === SEARCH_KEYS;
}

/**
 * Recomputes the search keys if they were made by an earlier Rollcall with other rules, or with an earlier Unicode.
 * Runs in the caller's transaction. Takes about a second for a million users, and some seconds more if all of them
 * change.
 *
 * If e-mails become equal, the key goes to the user that already has it, else to the oldest one. The others keep their
 * old keys. They can still be changed, and nobody else can take their e-mails. Such users exist only if they bypassed
 * the contract, which admits only ASCII: its keys never change.
 */
export function refreshSearchKeys(database: DatabaseSync): EqualEmails {
  if (areSearchKeysCurrent(database)) return { count: 0, userIds: [] };
  // The keys of ASCII text are the same in every version.
  const select = database.prepare(`
    SELECT row, id, email, email_key AS emailKey, name, name_key AS nameKey, words, created_at_ms AS createdAtMs
    FROM users INDEXED BY users_by_creation
    WHERE (created_at_ms, id) > (?, ?) AND (email GLOB '*[^ -~]*' OR name GLOB '*[^ -~]*')
    ORDER BY created_at_ms, id LIMIT ?`);
  const updateName = database.prepare("UPDATE users SET name_key = ?, words = ? WHERE row = ?");
  const updateEmail = database.prepare("UPDATE OR IGNORE users SET email_key = ? WHERE row = ?");
  const storedWords = new StoredWords(database);
  let count = 0;
  const userIds: string[] = [];
  let rows: Row[] = [];
  do {
    const { createdAtMs, id } = rows.at(-1) ?? { createdAtMs: -1, id: "" };
    rows = select.all(createdAtMs, id, ROWS_AT_ONCE) as unknown as Row[];
    for (const { row, id, email, emailKey, name, nameKey, words } of rows) {
      const newWords = toWordsText(wordsOfUser({ name, email }));
      if (nameKey !== searchKey(name) || words !== newWords) updateName.run(searchKey(name), newWords, row);
      storedWords.replace(row, words, newWords);
      if (emailKey === searchKey(email) || updateEmail.run(searchKey(email), row).changes === 1) continue;
      count += 1;
      if (userIds.length < MAX_REPORTED) userIds.push(id);
    }
  } while (rows.length === ROWS_AT_ONCE);
  database.prepare("INSERT OR REPLACE INTO properties VALUES ('search_keys', ?)").run(SEARCH_KEYS);
  return { count, userIds };
}
