import { join } from "node:path";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";
import type { StoredUser } from "./bulk.ts";
import { type CopyOptions, copyDirectory } from "./copy-directory.ts";
import { openSqliteBulkReader, openSqliteBulkWriter } from "./sqlite/bulk.ts";
import { openSqliteUserRepository } from "./sqlite/user-repository.ts";

let folder: string;
withFolderEach((created) => {
  folder = created;
});

const options = (more: Partial<CopyOptions> = {}): CopyOptions => ({
  signal: new AbortController().signal,
  onProgress() {},
  onCheck() {},
  ...more,
});

const users = Array.from({ length: 2_500 }, (_, index): StoredUser => {
  const email = `u${index}@example.com`;
  return { id: `id${index}`, email, emailKey: email, name: "x", createdAtMs: index % 3, updatedAtMs: 7, version: 2 };
});

async function makeSource(): Promise<string> {
  const path = join(folder, "from.db");
  await using writer = openSqliteBulkWriter(path);
  await writer.addUsers(users);
  await writer.commit();
  return path;
}

async function countAt(path: string): Promise<number> {
  await using reader = openSqliteBulkReader(path);
  return (await reader.counts()).users;
}

test("a row that is written differently undoes the copy", async () => {
  await using reader = openSqliteBulkReader(await makeSource());
  const path = join(folder, "to.db");
  {
    await using writer = openSqliteBulkWriter(path);
    const addUsers = writer.addUsers.bind(writer);
    // Simulates a fault of a database, such as one that rounds times.
    writer.addUsers = (rows) => addUsers(rows.map((user) => ({ ...user, updatedAtMs: user.id === "id77" ? 8 : 7 })));
    await expect(copyDirectory(reader, writer, options())).rejects.toThrow("differ from the source's");
  }
  expect(await countAt(path)).toBe(0);
  // The control: without the fault, the copy succeeds.
  await using writer = openSqliteBulkWriter(path);
  expect(await copyDirectory(reader, writer, options())).toMatchObject({ users: users.length, requests: 0 });
});

test("a copy has its own epoch of changes, and so has a directory that it fills", async () => {
  const epochOf = async (path: string) => {
    await using users = Object.assign(openSqliteUserRepository({ path }), {
      async [Symbol.asyncDispose]() {
        await users.close();
      },
    });
    return (await users.changes.head()).epoch;
  };
  const [from, to] = [await makeSource(), join(folder, "to.db")];
  const empty = await epochOf(to);
  {
    await using reader = openSqliteBulkReader(from);
    await using writer = openSqliteBulkWriter(to);
    await copyDirectory(reader, writer, options());
  }
  expect(new Set([empty, await epochOf(to), await epochOf(from)]).size).toBe(3);
});

test("a copy that is stopped is undone, and reports its progress until then", async () => {
  await using reader = openSqliteBulkReader(await makeSource());
  const path = join(folder, "to.db");
  const controller = new AbortController();
  const seen: number[][] = [];
  const onProgress = (...counts: number[]) => {
    seen.push(counts);
    if (seen.length === 2) controller.abort();
  };
  {
    await using writer = openSqliteBulkWriter(path);
    const copying = copyDirectory(reader, writer, options({ signal: controller.signal, onProgress }));
    await expect(copying).rejects.toThrow("aborted");
  }
  expect(seen).toEqual([
    [1_000, 2_500],
    [2_000, 2_500],
  ]);
  expect(await countAt(path)).toBe(0);
});

test("a copy reads one state, though users are added meanwhile", async () => {
  const from = await makeSource();
  await using reader = openSqliteBulkReader(from);
  await using writer = openSqliteBulkWriter(join(folder, "to.db"));
  const onProgress = async (done: number) => {
    await using other = openSqliteBulkWriter(from);
    await other.addUsers([{ ...(users[0] as StoredUser), id: `new${done}`, email: "n", emailKey: `n${done}` }]);
    await other.commit();
  };
  expect((await copyDirectory(reader, writer, options({ onProgress }))).users).toBe(users.length);
  // The control: the changes are there.
  await expect.poll(() => countAt(from)).toBe(users.length + 3);
});
