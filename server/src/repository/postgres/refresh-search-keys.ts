import type pg from "pg";
import { searchKey } from "../../domain/user.ts";
import { wordsOfUser } from "../../domain/user-words.ts";
import { type EqualEmails, MAX_REPORTED, SEARCH_KEYS } from "../search-keys.ts";
import { toWords, toWordsText } from "../words-text.ts";

const ROWS_AT_ONCE = 1_000;

interface Row {
  readonly id: string;
  readonly email: string;
  readonly emailKey: string;
  readonly name: string;
  readonly nameKey: string;
  readonly words: string;
  readonly createdAtMs: number;
}

/** Returns whether {@link refreshSearchKeys} has nothing to do. */
export async function areSearchKeysCurrent(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query("SELECT value FROM properties WHERE name = 'search_keys'");
  return rows[0]?.value === SEARCH_KEYS;
}

/**
 * Recomputes the search keys if they were made by an earlier Rollcall with other rules, or with an earlier Unicode.
 * Runs in the caller's transaction.
 *
 * If e-mails become equal, the key goes to the user that already has it, else to the oldest one. The others keep their
 * old keys. Such users exist only if they bypassed the contract, which admits only ASCII: its keys never change.
 */
export async function refreshSearchKeys(client: pg.Client): Promise<EqualEmails> {
  let count = 0;
  const userIds: string[] = [];
  let rows: Row[] = [];
  do {
    const { createdAtMs, id } = rows.at(-1) ?? { createdAtMs: -1, id: "" };
    // The keys of ASCII text are the same in every version.
    const page = await client.query<Row>(
      `SELECT id, email, email_key AS "emailKey", name, name_key AS "nameKey", words, created_at_ms AS "createdAtMs"
      FROM users WHERE (created_at_ms, id) > ($1, $2) AND (email ~ '[^ -~]' OR name ~ '[^ -~]')
      ORDER BY created_at_ms, id LIMIT $3`,
      [createdAtMs, id, ROWS_AT_ONCE],
    );
    rows = page.rows;
    for (const row of rows) {
      if (await refresh(client, row)) continue;
      count += 1;
      if (userIds.length < MAX_REPORTED) userIds.push(row.id);
    }
  } while (rows.length === ROWS_AT_ONCE);
  await client.query(
    "INSERT INTO properties VALUES ('search_keys', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    [SEARCH_KEYS],
  );
  return { count, userIds };
}

/** Returns whether the user has the key of its e-mail. */
async function refresh(client: pg.Client, { id, email, emailKey, name, nameKey, words }: Row): Promise<boolean> {
  const newWords = toWordsText(wordsOfUser({ name, email }));
  if (nameKey !== searchKey(name) || words !== newWords) {
    await client.query("UPDATE users SET name_key = $1, words = $2 WHERE id = $3", [searchKey(name), newWords, id]);
    await client.query("DELETE FROM user_words WHERE user_id = $1 AND word = ANY($2)", [id, toWords(words)]);
    await client.query("INSERT INTO user_words (word, user_id) SELECT unnest($2::text[]), $1", [id, toWords(newWords)]);
  }
  if (emailKey === searchKey(email)) return true;
  const { rowCount } = await client.query(
    "UPDATE users SET email_key = $1 WHERE id = $2 AND NOT EXISTS (SELECT FROM users WHERE email_key = $1)",
    [searchKey(email), id],
  );
  return rowCount === 1;
}
