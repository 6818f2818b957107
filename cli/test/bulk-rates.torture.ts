import { createWriteStream } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startPostgres } from "@rollcall/testing/start-postgres";
import { startProcess } from "@rollcall/testing/start-process";
import { expect, test } from "vitest";

/** Number of users in the file. A million take some minutes per database on two idle cores. */
const USERS = Number(process.env.BULK_LINES ?? 1_000_000);

function* csv() {
  yield "email,name\n";
  for (let index = 0; index < USERS; index++) yield `user${index}@example.com,First${index % 5_000} Last${index}\n`;
}

test.each(["SQLite", "PostgreSQL"])("users a second that are imported into %s and exported from it", async (name) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-bulk-"));
  await using stack = new AsyncDisposableStack();
  const file = join(folder.path, "users.csv");
  await pipeline(Readable.from(csv()), createWriteStream(file));
  const env: Record<string, string> = {};
  if (name === "PostgreSQL") env.DATABASE_URL = await stack.use(await startPostgres()).createDatabase();
  const server = stack.use(await startProcess({ folder: join(folder.path, "data"), env }));
  const run = async (...args: string[]) => {
    const startedAtMs = performance.now();
    const result = await rollcall(["users", ...args, "--json"], {
      env: { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: server.token },
      timeoutMs: 3_600_000,
    });
    const seconds = (performance.now() - startedAtMs) / 1_000;
    expect(result).toMatchObject({ code: 0 });
    return { result: result.stdout.trim(), seconds: Math.round(seconds), aSecond: Math.round(USERS / seconds) };
  };
  const rows = [await run("import", file), await run("export", join(folder.path, "exported.jsonl"))];
  console.info(name, rows);
  expect(JSON.parse(rows[0]?.result ?? "{}")).toMatchObject({ created: USERS, failed: 0 });
});
