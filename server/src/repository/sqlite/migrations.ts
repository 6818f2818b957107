/** Gives the log of changes an epoch that it never had, which makes all earlier places invalid. */
export const renewChangeEpoch = "INSERT OR REPLACE INTO properties VALUES ('change_epoch', lower(hex(randomblob(8))));";
/** First version of the schema with a log of changes. */
export const FIRST_VERSION_WITH_CHANGES = 4;

/**
 * The schema, step by step. A released step is never changed. The database keeps the number of steps applied as its
 * `user_version`. Steps may call `rollcall_words` (`stored-words.ts`).
 */
export const sqliteMigrations: readonly string[] = [
  `
  CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL,
    email_key     TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    name_key      TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version       INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX users_by_creation ON users (created_at_ms, id);
  CREATE INDEX users_by_name ON users (name_key);

  CREATE TABLE create_requests (
    principal     TEXT NOT NULL,
    request_id    TEXT NOT NULL,
    request_hash  TEXT NOT NULL,
    response      TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (principal, request_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX create_requests_by_age ON create_requests (created_at_ms);

  CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
  ) STRICT;
  INSERT INTO secrets VALUES ('page_token_key', randomblob(32));
  `,
  `
  CREATE TABLE properties (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
  ) STRICT;
  `,
  // `row` stays the same for as long as the user exists; without a named column, VACUUM may change rowids. The users
  // are copied in the order of their creation, in which most searches read them.
  `
  CREATE TABLE new_users (
    row           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    email         TEXT NOT NULL,
    email_key     TEXT NOT NULL,
    name          TEXT NOT NULL,
    name_key      TEXT NOT NULL,
    words         TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version       INTEGER NOT NULL
  ) STRICT;
  INSERT INTO new_users (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version)
  SELECT id, email, email_key, name, name_key, rollcall_words(name, email), created_at_ms, updated_at_ms, version
  FROM users INDEXED BY users_by_creation ORDER BY created_at_ms, id;
  DROP TABLE users;
  ALTER TABLE new_users RENAME TO users;
  CREATE INDEX users_by_creation ON users (created_at_ms, id);
  CREATE INDEX users_by_update ON users (updated_at_ms, id);
  CREATE INDEX users_by_name ON users (name_key, id);
  CREATE UNIQUE INDEX users_by_email ON users (email_key);

  CREATE TABLE user_words (
    word TEXT NOT NULL,
    user INTEGER NOT NULL,
    PRIMARY KEY (word, user)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO user_words (word, user)
  SELECT value, row FROM users, json_each(rollcall_words_json(words)) ORDER BY value, row;
  `,
  // Changes are ordered by their ids: AUTOINCREMENT never reuses an id, not even that of a removed last row.
  `
  CREATE TABLE changes (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       TEXT NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    changed_by    TEXT NOT NULL,
    before        TEXT,
    after         TEXT
  ) STRICT;
  CREATE INDEX changes_by_user ON changes (user_id, id);
  ${renewChangeEpoch}
  `,
];
