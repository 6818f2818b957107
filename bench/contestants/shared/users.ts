import { randomUUIDv7 } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import type { Settings } from "./settings.ts";

/** Number of users that each contestant has at its start. */
export const SEEDED_USERS = 1_000;

export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly version: number;
}

/** The user directory of a contestant. */
export interface Users {
  get(id: string): User | undefined;
  /** The first users in the order of their creation. */
  list(count: number): readonly User[];
  /** Writes a user to disk, in its own transaction. @throws Error when the e-mail is taken. */
  create(email: string, name: string): User;
}

/** Makes the e-mail and name of a seeded user. Rollcall gets the same ones. */
export function seedOf(index: number): { email: string; name: string } {
  const number = String(index).padStart(4, "0");
  return { email: `user-${number}@example.com`, name: `User ${number}` };
}

/** Makes all seeded users, with ids of the same form and length as Rollcall's. */
export function seededUsers(): User[] {
  return Array.from({ length: SEEDED_USERS }, (_, index) => ({
    id: `01900000-0000-7000-8000-${String(index).padStart(12, "0")}`,
    ...seedOf(index),
    createdAtMs: 1_767_225_600_000 + index,
    updatedAtMs: 1_767_225_600_000 + index,
    version: 1,
  }));
}

/** Opens the users. Reads come from memory or, with the same work, from SQLite; creates are always durable. */
export function openUsers({ sameWork, databasePath }: Settings): Users {
  const inSqlite = openSqliteUsers(databasePath);
  if (sameWork) return inSqlite;
  const users = seededUsers();
  const byId = new Map(users.map((user) => [user.id, user]));
  return {
    get: (id) => byId.get(id),
    list: (count) => users.slice(0, count),
    create: inSqlite.create,
  };
}

const COLUMNS = `id, email, name, created_at_ms AS "createdAtMs", updated_at_ms AS "updatedAtMs", version`;

/** Opens the same table as Rollcall's, as durable as Rollcall's. */
function openSqliteUsers(path: string): Users {
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE users (
      id            TEXT PRIMARY KEY,
      email         TEXT NOT NULL UNIQUE,
      name          TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      updated_at_ms INTEGER NOT NULL,
      version       INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX users_by_creation ON users (created_at_ms, id);
  `);
  const insert = database.prepare("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)");
  const get = database.prepare(`SELECT ${COLUMNS} FROM users WHERE id = ?`);
  const list = database.prepare(`SELECT ${COLUMNS} FROM users ORDER BY created_at_ms, id LIMIT ?`);
  const add = (user: User) =>
    insert.run(user.id, user.email, user.name, user.createdAtMs, user.updatedAtMs, user.version);
  database.exec("BEGIN");
  seededUsers().forEach(add);
  database.exec("COMMIT");
  return {
    get: (id) => get.get(id) as unknown as User | undefined,
    list: (count) => list.all(count) as unknown as User[],
    create(email, name) {
      const now = Date.now();
      const user = { id: randomUUIDv7(), email, name, createdAtMs: now, updatedAtMs: now, version: 1 };
      add(user);
      return user;
    },
  };
}
