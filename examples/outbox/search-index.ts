/**
 * Keeps a search index beside Rollcall, in SQLite. It reads events of `rollcall users watch --json --ack` from standard
 * input, one a line. Once events are on disk, it acknowledges them on standard output. README.md has the command.
 *
 * Events come at least once. The transaction that applies an event also stores its id, so each is applied only once.
 */
import { DatabaseSync } from "node:sqlite";

/** Number of ids that are remembered: many more than can be unacknowledged at the same time. */
const REMEMBERED = 100_000;

interface Event {
  readonly type: "created" | "updated" | "removed" | "synced" | "progress" | "reset";
  /** Empty for a user that existed when the watch began, and for events that are not changes. */
  readonly changeId: string;
  /** Empty if no watch can resume from here. */
  readonly resumeToken: string;
  readonly userId?: string;
  readonly user?: { readonly id: string; readonly name: string; readonly email: string; readonly etag: string };
}

const [path = "search-index.db"] = process.argv.slice(2);
// Others may read the index: while they open or close it, SQLite locks it for a moment.
const database = new DatabaseSync(path, { timeout: 10_000 });
database.exec(`
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS applied (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS people (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT NOT NULL, etag TEXT NOT NULL);
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (name, email, content = 'people', content_rowid = 'number');
  CREATE TRIGGER IF NOT EXISTS added AFTER INSERT ON people BEGIN
    INSERT INTO words (rowid, name, email) VALUES (new.number, new.name, new.email);
  END;
  CREATE TRIGGER IF NOT EXISTS removed AFTER DELETE ON people BEGIN
    INSERT INTO words (words, rowid, name, email) VALUES ('delete', old.number, old.name, old.email);
  END;
  CREATE TRIGGER IF NOT EXISTS changed AFTER UPDATE ON people BEGIN
    INSERT INTO words (words, rowid, name, email) VALUES ('delete', old.number, old.name, old.email);
    INSERT INTO words (rowid, name, email) VALUES (new.number, new.name, new.email);
  END;
`);
const note = database.prepare("INSERT OR IGNORE INTO applied (id) VALUES (?)");
const forget = database.prepare("DELETE FROM applied WHERE number <= (SELECT max(number) FROM applied) - ?");
const clear = database.prepare("DELETE FROM people");
const remove = database.prepare("DELETE FROM people WHERE id = ?");
const put = database.prepare(`
  INSERT INTO people (id, name, email, etag) VALUES (?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, etag = excluded.etag`);

function apply({ type, changeId, user, userId }: Event): void {
  if (changeId !== "" && note.run(changeId).changes === 0) return;
  if (type === "reset") clear.run();
  else if (user) put.run(user.id, user.name, user.email, user.etag);
  else if (userId !== undefined) remove.run(userId);
}

/** Applies events in one transaction, and acknowledges them when it is on disk. */
function applyAll(events: readonly Event[]): void {
  database.exec("BEGIN IMMEDIATE");
  for (const event of events) apply(event);
  forget.run(REMEMBERED);
  database.exec("COMMIT");
  const place = events.findLast(({ resumeToken }) => resumeToken !== "");
  if (place) process.stdout.write(`${place.resumeToken}\n`);
}

let rest = "";
process.stdin.setEncoding("utf8");
for await (const chunk of process.stdin) {
  const lines = (rest + chunk).split("\n");
  // A line is cut off if its writer stops; its event then comes again.
  rest = lines.pop() ?? "";
  if (lines.length > 0) applyAll(lines.map((line) => JSON.parse(line) as Event));
}
database.close();
