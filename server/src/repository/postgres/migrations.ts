/** Gives the log of changes an epoch that it never had, which makes all earlier places invalid. */
export const renewChangeEpoch = `
  INSERT INTO properties VALUES ('change_epoch', left(md5(gen_random_uuid()::text), 16))
  ON CONFLICT (name) DO UPDATE SET value = excluded.value`;

/**
 * The schema, step by step. A released step is never changed. The table `rollcall_schema` has a row for each applied
 * step.
 *
 * All text has the collation "C": the database then compares by code point, like SQLite, whatever its language. Times
 * are milliseconds in a bigint, as in the domain, the pages' tokens and SQLite: a timestamptz would be converted at
 * every border, without a benefit. Ids are text, since an import may bring any.
 */
export const postgresMigrations: readonly string[] = [
  `
  CREATE TABLE users (
    id            text COLLATE "C" PRIMARY KEY,
    email         text COLLATE "C" NOT NULL,
    email_key     text COLLATE "C" NOT NULL,
    name          text COLLATE "C" NOT NULL,
    name_key      text COLLATE "C" NOT NULL,
    words         text COLLATE "C" NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    version       bigint NOT NULL
  );
  CREATE UNIQUE INDEX users_by_email ON users (email_key);
  CREATE INDEX users_by_creation ON users (created_at_ms, id);
  CREATE INDEX users_by_update ON users (updated_at_ms, id);
  CREATE INDEX users_by_name ON users (name_key, id);

  CREATE TABLE user_words (
    word    text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (word, user_id)
  );

  CREATE TABLE create_requests (
    principal     text COLLATE "C" NOT NULL,
    request_id    text COLLATE "C" NOT NULL,
    request_hash  text NOT NULL,
    response      text NOT NULL,
    created_at_ms bigint NOT NULL,
    PRIMARY KEY (principal, request_id)
  );
  CREATE INDEX create_requests_by_age ON create_requests (created_at_ms);

  CREATE TABLE secrets (
    name  text PRIMARY KEY,
    value bytea NOT NULL
  );

  CREATE TABLE properties (
    name  text PRIMARY KEY,
    value text NOT NULL
  );

  CREATE TABLE write_slots (
    slot    text PRIMARY KEY,
    token   text NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now()
  ) WITH (fillfactor = 50);
  `,
  // Changes are read in the order of (xid, id), and only up to the oldest transaction that is still open. A sequence
  // alone would not do: its numbers are taken before the commit, so a reader past number 7 could miss 6.
  `
  CREATE TABLE changes (
    xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id            bigint GENERATED ALWAYS AS IDENTITY,
    user_id       text COLLATE "C" NOT NULL,
    changed_at_ms bigint NOT NULL,
    changed_by    text NOT NULL,
    before        text,
    after         text,
    PRIMARY KEY (xid, id)
  );
  CREATE INDEX changes_by_user ON changes (user_id, xid, id);
  INSERT INTO properties VALUES ('changes_kept_behind', '');
  ${renewChangeEpoch};
  `,
];
