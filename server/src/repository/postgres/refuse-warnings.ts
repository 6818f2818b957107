import type pg from "pg";

/** Code (SQLSTATE) of notices that are no warnings. */
const SUCCESSFUL = "00000";

/**
 * Runs a query that commits, on a connection without other pending queries.
 *
 * @throws If a warning came with the answer. PostgreSQL answers COMMIT with one if an operator cancels its wait for a
 * synchronous standby, which then may lack the transaction.
 */
export async function refuseWarnings<T>(client: pg.ClientBase, query: () => Promise<T>): Promise<T> {
  let warning: string | undefined;
  const note = ({ code, message }: { code?: string | undefined; message?: string | undefined }) => {
    if (code !== SUCCESSFUL) warning = message;
  };
  client.on("notice", note);
  try {
    const result = await query();
    if (warning !== undefined) throw new Error(`committed with a warning: ${warning}`);
    return result;
  } finally {
    client.removeListener("notice", note);
  }
}
