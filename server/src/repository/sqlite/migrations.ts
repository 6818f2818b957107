/**
 * The schema, step by step. A released step is never changed. The database keeps the number of steps applied as its
 * `user_version`.
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
];
