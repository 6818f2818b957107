import type { ChangePlace, LoggedChange } from "../../domain/logged-change.ts";
import type { User } from "../../domain/user.ts";
import { queryTrace } from "../../runtime/query-trace.ts";
import type {
  ChangeHistory,
  ChangeLog,
  ChangeLogHead,
  ChangeLogState,
  ChangePage,
  HistoryOptions,
  OpenTransaction,
  ReadOptions,
  TrimOptions,
  UnreadChanges,
} from "../change-log.ts";
import { ChangeNotices } from "./change-notices.ts";
import type { PostgresPool } from "./pool.ts";
import { statements } from "./statements.ts";
import { withTraceComment } from "./trace-comment.ts";

/** Hexadecimal digits of each half of a place: 64 bits. */
const HALF = 16;
const END = (2n ** 63n - 1n).toString();

interface ChangeRow extends ChangeLogState {
  /** Null if the log has no such changes: then the row shows only the log's state. */
  readonly xid: string | null;
  readonly id: string;
  readonly userId: string;
  readonly atMs: number;
  readonly subject: string;
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * The table `changes`, in the order of (transaction, id). An open transaction holds up the changes of all later ones:
 * until it ends, it may still add changes before theirs.
 */
export class PostgresChangeLog implements ChangeLog {
  /** Notices of other servers' changes only shorten the wait. */
  readonly pollIntervalMs = 100;
  readonly #pool: PostgresPool;
  readonly #listeners = new Set<() => void>();
  readonly #notices: ChangeNotices;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
    this.#notices = new ChangeNotices(pool, () => this.#wakeAll());
  }

  /** Notifies listeners, on other servers too, that changes were committed. */
  committed(): void {
    this.#wakeAll();
    this.#notices.send();
  }

  async head(): Promise<ChangeLogHead> {
    type Row = ChangeLogState & { settled: string; written: string };
    const [row] = await this.#pool.query<Row>(statements.changeHead);
    const { epoch, keptBehind, settled, written } = row as Row;
    return { epoch, keptBehind, settled: toPlace(settled, "0"), written: toPlace(written, "0") };
  }

  async read({ after, limit }: ReadOptions): Promise<ChangePage> {
    const values = [...toIds(after), limit];
    const rows = await this.#pool.query<ChangeRow & { settled: string }>(statements.readChanges, values);
    const { epoch, keptBehind, settled } = rows[0] as ChangeRow & { settled: string };
    const changes = toChanges(rows);
    const last = changes.at(-1)?.place ?? after;
    const end = toPlace(settled, "0");
    return { epoch, keptBehind, changes, place: changes.length === limit || last > end ? last : end };
  }

  async unread(after: ChangePlace | undefined): Promise<UnreadChanges | undefined> {
    type Row = { sinceMs: number; settled: string; isHeldUp: boolean };
    const values = after === undefined ? [null, null] : toIds(after);
    const [row] = await this.#pool.query<Row>(statements.unreadChanges, values);
    if (!row) return undefined;
    const { sinceMs, settled, isHeldUp } = row;
    // The transaction may have ended meanwhile.
    const open = isHeldUp ? await this.#pool.query<OpenTransaction>(statements.openTransaction, [settled]) : [];
    return { sinceMs, heldUpBy: open[0] };
  }

  async history({ userId, before, limit }: HistoryOptions): Promise<ChangeHistory> {
    const values = [userId, ...(before === undefined ? [END, END] : toIds(before)), limit];
    const statement = withTraceComment(statements.changeHistory, queryTrace());
    const rows = await this.#pool.query<ChangeRow>(statement, values);
    const { epoch, keptBehind } = rows[0] as ChangeRow;
    return { epoch, keptBehind, changes: toChanges(rows) };
  }

  async trim({ notBeforeMs, maxCount, limit }: TrimOptions): Promise<number> {
    const [row] = await this.#pool.query<{ count: number }>(statements.trimChanges, [notBeforeMs, maxCount, limit]);
    return row?.count ?? 0;
  }

  onCommit(wake: () => void): () => void {
    this.#listeners.add(wake);
    this.#notices.listen();
    return () => {
      this.#listeners.delete(wake);
      if (this.#listeners.size === 0) this.#notices.stopListening();
    };
  }

  /** Stops sending and receiving notices. */
  close(): void {
    this.#notices.close();
  }

  #wakeAll(): void {
    for (const wake of this.#listeners) wake();
  }
}

function toPlace(xid: string, id: string): ChangePlace {
  return [xid, id].map((half) => BigInt(half).toString(16).padStart(HALF, "0")).join("");
}

function toIds(place: ChangePlace): [xid: string, id: string] {
  const [xid, id] = [place.slice(0, HALF), place.slice(HALF)].map((half) => BigInt(`0x${half || "0"}`).toString());
  return [xid ?? "", id ?? ""];
}

function toChanges(rows: readonly ChangeRow[]): LoggedChange[] {
  const toUser = (text: string | null) => (text === null ? undefined : (JSON.parse(text) as User));
  return rows.flatMap(({ xid, id, userId, atMs, subject, before, after }) =>
    xid === null
      ? []
      : [{ place: toPlace(xid, id), userId, author: { subject, atMs }, before: toUser(before), after: toUser(after) }],
  );
}
