import type pg from "pg";
import { renewChangeEpoch } from "./migrations.ts";

/**
 * Returns whether the log has places that this server has not reached yet, because a dump of another server was
 * restored. Transactions are numbered differently there. The changes would stay hidden until this server's numbers
 * reach theirs.
 */
export async function areChangesAhead(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ is_ahead: boolean }>(`
    SELECT EXISTS (SELECT FROM changes WHERE xid >= log.next) OR EXISTS (
      SELECT FROM properties
      WHERE name = 'changes_kept_behind' AND value COLLATE "C" > lpad(to_hex(log.next::text::bigint), 16, '0')
    ) AS is_ahead
    FROM (SELECT pg_snapshot_xmax(pg_current_snapshot()) AS next) AS log`);
  return rows[0]?.is_ahead === true;
}

/**
 * Logs all changes anew, in their order, as changes of the caller's transaction. The log then has another epoch, so
 * that watchers begin anew.
 */
export async function renumberChanges(client: pg.Client): Promise<void> {
  await client.query(`
    WITH old AS (DELETE FROM changes RETURNING *)
    INSERT INTO changes (user_id, changed_at_ms, changed_by, before, after)
    SELECT user_id, changed_at_ms, changed_by, before, after FROM old ORDER BY xid, id`);
  await client.query("UPDATE properties SET value = '' WHERE name = 'changes_kept_behind'");
  await client.query(renewChangeEpoch);
}
