/** Program that opens a database on request, reports the result, and closes the database when its input ends. */
import { once } from "node:events";
import { openSqliteUserRepository } from "../../../src/repository/sqlite/user-repository.ts";

const [path = ""] = process.argv.slice(2);
process.stdout.write("here\n");
await once(process.stdin, "data");
try {
  const users = openSqliteUserRepository({
    path,
    lockTimeoutMs: 60_000,
    onNotice: ({ message }) => process.stdout.write(`${message}\n`),
  });
  await users.ping();
  process.stdout.write("opened\n");
  await once(process.stdin, "end");
  await users.close();
} catch (error) {
  process.stdout.write(`failed: ${error}\n`);
}
process.exit(0);
