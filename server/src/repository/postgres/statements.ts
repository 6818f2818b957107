/** A statement. If it has a name, each connection prepares it once. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

const named = (name: string, text: string): Statement => ({ name: `rollcall_${name}`, text });

/** Columns of a user. */
export const USER_COLUMNS = 'id, email, name, created_at_ms AS "createdAtMs", updated_at_ms AS "updatedAtMs", version';

/**
 * The present epoch of the log, made from the tables and from where they are. A place in the log is valid only for one
 * database of one system, since a dump that is restored elsewhere meets other transactions' numbers. It is also valid
 * only for one timeline: a promoted standby, or a recovered backup, may lack the last commits, and gives their numbers
 * to others.
 */
const CHANGE_EPOCH = `(SELECT left(md5(concat_ws('/',
  (SELECT value FROM properties WHERE name = 'change_epoch'),
  (SELECT oid FROM pg_database WHERE datname = current_database()),
  (SELECT system_identifier FROM pg_control_system()),
  CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END)), 16))`;
const CHANGE_STATE = `${CHANGE_EPOCH} AS epoch,
  (SELECT value FROM properties WHERE name = 'changes_kept_behind') AS "keptBehind"`;
const CHANGE_COLUMNS = `change.xid::text AS xid, change.id::text AS id, user_id AS "userId", changed_at_ms AS "atMs",
  changed_by AS subject, before, after`;

/** Channel of the notices about committed changes. */
export const CHANGE_CHANNEL = "rollcall_changes";

export const statements = {
  ping: named("ping", "SELECT 1 FROM users LIMIT 1"),
  findMany: named("find_many", `SELECT ${USER_COLUMNS} FROM users WHERE id = ANY($1::text[])`),
  secret: named("secret", "SELECT value FROM secrets WHERE name = $1"),
  writeCheck: named(
    "write_check",
    `INSERT INTO properties VALUES ('write_check', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  ),

  // The log of changes (`change-log.ts`).
  changeHead: named(
    "change_head",
    `SELECT ${CHANGE_STATE}, pg_snapshot_xmin(pg_current_snapshot())::text AS settled,
      pg_snapshot_xmax(pg_current_snapshot())::text AS written`,
  ),
  // Everything comes from one snapshot, which is complete below its oldest open transaction.
  readChanges: named(
    "read_changes",
    `
    SELECT ${CHANGE_STATE}, log.settled::text, ${CHANGE_COLUMNS}
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS settled) AS log
    LEFT JOIN LATERAL (
      SELECT * FROM changes WHERE (xid, id) > ($1::text::xid8, $2::bigint) AND xid < log.settled
      ORDER BY xid, id LIMIT $3
    ) AS change ON true
    ORDER BY change.xid, change.id`,
  ),
  unreadChanges: named(
    "unread_changes",
    `
    SELECT change.changed_at_ms AS "sinceMs", log.settled::text, change.xid >= log.settled AS "isHeldUp"
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS settled) AS log
    CROSS JOIN LATERAL (
      SELECT * FROM changes WHERE (xid, id) > (coalesce($1::text::xid8, log.settled), coalesce($2::bigint, 0))
      ORDER BY xid, id LIMIT 1
    ) AS change`,
  ),
  // Sessions show only 32 bits of a transaction's number. A transaction that has written nothing has no number, and
  // holds nothing up.
  openTransaction: named(
    "open_transaction",
    `
    SELECT $1::text AS id, pid, coalesce(application_name, '') AS name,
      (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::float8 AS "ageMs"
    FROM pg_stat_activity WHERE backend_xid::text::bigint = $1::bigint % 4294967296
    UNION ALL
    SELECT $1::text, NULL, gid, (extract(epoch FROM clock_timestamp() - prepared) * 1000)::float8
    FROM pg_prepared_xacts WHERE transaction::text::bigint = $1::bigint % 4294967296`,
  ),
  changeHistory: named(
    "change_history",
    `
    SELECT ${CHANGE_STATE}, ${CHANGE_COLUMNS} FROM (SELECT) AS log
    LEFT JOIN LATERAL (
      SELECT * FROM changes WHERE user_id = $1 AND (xid, id) < ($2::text::xid8, $3::bigint)
      ORDER BY xid DESC, id DESC LIMIT $4
    ) AS change ON true
    ORDER BY change.xid DESC, change.id DESC`,
  ),
  // Ids count the changes, except for the few ids of transactions that were rolled back.
  trimChanges: named(
    "trim_changes",
    `
    WITH oldest AS (
      SELECT xid, id, changed_at_ms, row_number() OVER (ORDER BY xid, id) AS place FROM (
        SELECT xid, id, changed_at_ms FROM changes WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY xid, id LIMIT $3
      ) AS first
    ), kept AS (
      SELECT min(place) AS place FROM oldest
      WHERE changed_at_ms >= $1 AND id > (SELECT max(id) FROM changes) - $2::bigint
    ), last AS (
      SELECT xid, id FROM oldest WHERE place < coalesce((SELECT place FROM kept), $3 + 1) ORDER BY place DESC LIMIT 1
    ), gone AS (
      DELETE FROM changes USING last WHERE (changes.xid, changes.id) <= (last.xid, last.id) RETURNING 1
    ), noted AS (
      UPDATE properties SET value = greatest(value COLLATE "C",
        lpad(to_hex(last.xid::text::bigint), 16, '0') || lpad(to_hex(last.id), 16, '0'))
      FROM last WHERE name = 'changes_kept_behind'
    )
    SELECT count(*)::int AS count FROM gone`,
  ),
  notifyChanges: named("notify_changes", `SELECT pg_notify('${CHANGE_CHANNEL}', $1)`),
  logChanges: named(
    "log_changes",
    `
    INSERT INTO changes (user_id, changed_at_ms, changed_by, before, after)
    SELECT user_id, changed_at_ms, changed_by, before, after
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
      AS new (user_id, changed_at_ms, changed_by, before, after, place)
    ORDER BY place`,
  ),

  // The batch of writes (`write-batch.ts`).
  begin: { text: "BEGIN ISOLATION LEVEL READ COMMITTED" },
  commit: { text: "COMMIT" },
  rollback: { text: "ROLLBACK" },
  addSlot: named("add_slot", "INSERT INTO write_slots (slot, token) VALUES ($1, '')"),
  dropOldSlots: named("drop_old_slots", "DELETE FROM write_slots WHERE used_at < now() - interval '7 days'"),
  markSlot: named("mark_slot", "UPDATE write_slots SET token = $2, used_at = now() WHERE slot = $1 RETURNING 1"),
  readSlot: named("read_slot", "UPDATE write_slots SET used_at = now() WHERE slot = $1 RETURNING token"),
  // In the order of their ids, so that batches of several servers can't deadlock.
  lockUsers: named(
    "lock_users",
    `SELECT ${USER_COLUMNS}, words FROM users WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE`,
  ),
  findRequests: named(
    "find_requests",
    `
    SELECT asked.place, request_hash AS "requestHash", response
    FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY
      AS asked (principal, request_id, not_before_ms, place)
    JOIN create_requests USING (principal, request_id)
    WHERE created_at_ms >= not_before_ms`,
  ),
  // Both statements change only the version that was read, although its row is locked: in other databases that speak
  // PostgreSQL's protocol, the lock may not hold.
  delete: named(
    "delete",
    `
    WITH gone AS (
      DELETE FROM users USING unnest($1::text[], $2::bigint[]) AS old (id, version)
      WHERE users.id = old.id AND users.version = old.version
      RETURNING users.id
    ), removed AS (
      DELETE FROM user_words USING gone, unnest($3::text[], $4::text[]) AS old (word, user_id)
      WHERE old.user_id = gone.id AND user_words.word = old.word AND user_words.user_id = old.user_id
    )
    SELECT id FROM gone`,
  ),
  // Only the index decides who gets an e-mail. The condition spares the batch an error if the e-mail is plainly taken.
  update: named(
    "update",
    `
    WITH new AS (
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
          $8::bigint[], $9::bigint[])
        AS new (id, email, email_key, name, name_key, words, updated_at_ms, version, old_version)
    ), changed AS (
      UPDATE users SET email = new.email, email_key = coalesce(new.email_key, users.email_key), name = new.name,
        name_key = new.name_key, words = new.words, updated_at_ms = new.updated_at_ms, version = new.version
      FROM new
      WHERE users.id = new.id AND users.version = new.old_version AND (new.email_key IS NULL OR NOT EXISTS (
        SELECT FROM users AS other WHERE other.email_key = new.email_key AND other.id <> new.id))
      RETURNING users.id
    ), removed AS (
      DELETE FROM user_words USING changed, unnest($10::text[], $11::text[]) AS old (word, user_id)
      WHERE old.user_id = changed.id AND user_words.word = old.word AND user_words.user_id = old.user_id
    ), added AS (
      INSERT INTO user_words (word, user_id)
      SELECT more.word, more.user_id FROM changed JOIN unnest($12::text[], $13::text[]) AS more (word, user_id)
        ON more.user_id = changed.id
    )
    SELECT id, id IN (SELECT id FROM changed) AS "isChanged",
      EXISTS (SELECT FROM users WHERE users.id = new.id AND users.version = new.old_version) AS "isSame"
    FROM new`,
  ),
  // In the order of their ids, like the locks of users.
  insert: named(
    "insert",
    `
    WITH new AS (
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
          $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[])
        AS new (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version,
          principal, request_id, request_hash, response, not_before_ms)
    ), created AS (
      INSERT INTO users (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version)
      SELECT id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version FROM new
      ORDER BY email_key
      ON CONFLICT (email_key) DO NOTHING
      RETURNING id, words
    ), added AS (
      INSERT INTO user_words (word, user_id)
      SELECT word, id FROM created, unnest(string_to_array(substr(words, 2), ' ')) AS word
    ), remembered AS (
      INSERT INTO create_requests AS known (principal, request_id, request_hash, response, created_at_ms)
      SELECT principal, request_id, request_hash, response, created_at_ms
      FROM created JOIN new USING (id) WHERE new.request_id IS NOT NULL ORDER BY principal, request_id
      ON CONFLICT (principal, request_id) DO UPDATE
        SET request_hash = excluded.request_hash, response = excluded.response, created_at_ms = excluded.created_at_ms
        WHERE known.created_at_ms < (
          SELECT not_before_ms FROM new
          WHERE new.principal = excluded.principal AND new.request_id = excluded.request_id)
      RETURNING 1
    )
    SELECT id, (SELECT count(*) FROM remembered) AS remembered FROM created`,
  ),
  purgeRequests: named(
    "purge_requests",
    `
    DELETE FROM create_requests WHERE (principal, request_id) IN (
      SELECT principal, request_id FROM create_requests
      WHERE created_at_ms < $1 ORDER BY created_at_ms LIMIT $2 FOR UPDATE SKIP LOCKED)`,
  ),
} as const satisfies Record<string, Statement>;
