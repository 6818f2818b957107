import { withParts } from "@rollcall/testing/with-parts";
import type { LoggedChange } from "../../../src/domain/logged-change.ts";
import type { UserRepository } from "../../../src/repository/user-repository.ts";

const DIGITS = 32;
const toPlace = (id: unknown) => String(id).padStart(DIGITS, "0");
const toUser = (text: unknown) => (typeof text === "string" ? JSON.parse(text) : undefined);

/**
 * Reads PostgreSQL's log in the naive way: all changes with a greater number than the last. A number is assigned before
 * the commit, so changes that are committed late are missed.
 *
 * @param query Runs a statement in the database.
 */
export function byIdAlone(
  real: UserRepository,
  query: (sql: string) => Promise<Record<string, unknown>[]>,
): UserRepository {
  const { changes } = real;
  const state = async () => ({ epoch: (await changes.head()).epoch, keptBehind: "" });
  return withParts(real, {
    changes: withParts(changes, {
      async head() {
        const [row] = await query("SELECT coalesce(max(id), 0)::text AS id FROM changes");
        return { ...(await state()), settled: toPlace(row?.id), written: toPlace(row?.id) };
      },
      async read({ after, limit }) {
        const rows = await query(`SELECT * FROM changes WHERE id > ${BigInt(after)} ORDER BY id LIMIT ${limit}`);
        const read: LoggedChange[] = rows.map((row) => ({
          place: toPlace(row.id),
          userId: String(row.user_id),
          author: { subject: "", atMs: 0 },
          before: toUser(row.before),
          after: toUser(row.after),
        }));
        return { ...(await state()), changes: read, place: read.at(-1)?.place ?? after };
      },
    }),
  });
}
