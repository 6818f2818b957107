import type { DatabaseSync, StatementSync } from "node:sqlite";
import { wordsOfUser } from "../../domain/user-words.ts";
import { toWords, toWordsText } from "../words-text.ts";

/** The table `user_words`: every word of each user, by its row. */
export class StoredWords {
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: DatabaseSync) {
    // OR IGNORE: somebody may have removed users by hand, but not their words.
    this.#insert = database.prepare(
      "INSERT OR IGNORE INTO user_words (word, user) SELECT value, ?2 FROM json_each(?1)",
    );
    this.#delete = database.prepare("DELETE FROM user_words WHERE word = ? AND user = ?");
  }

  /** Replaces the words of a user. The two texts are the contents of its column `words`, before and after. */
  replace(row: number | bigint, before: string, after: string): void {
    if (before === after) return;
    const [old, wanted] = [toWords(before), toWords(after)];
    for (const word of old) if (!wanted.includes(word)) this.#delete.run(word, row);
    // One statement for all words, since a statement costs more than its row.
    this.#insert.run(JSON.stringify(old.length > 0 ? wanted.filter((word) => !old.includes(word)) : wanted), row);
  }
}

/** Adds the functions that migrations call to the connection. */
export function addWordFunctions(database: DatabaseSync): void {
  database.function("rollcall_words", { deterministic: true }, (name, email) =>
    toWordsText(wordsOfUser({ name: String(name), email: String(email) })),
  );
  database.function("rollcall_words_json", { deterministic: true }, (text) => JSON.stringify(toWords(String(text))));
}
