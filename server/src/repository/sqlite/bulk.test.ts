import { open } from "node:fs/promises";
import { join } from "node:path";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";
import type { StoredUser } from "../bulk.ts";
import { DatabaseOpenError } from "../database-open.ts";
import { openSqliteBulkReader, openSqliteBulkWriter } from "./bulk.ts";

let folder: string;
withFolderEach((created) => {
  folder = created;
});

const users = Array.from({ length: 3_000 }, (_, index): StoredUser => {
  const email = `u${index}@example.com`;
  return { id: `id${index}`, email, emailKey: email, name: "x", createdAtMs: index, updatedAtMs: index, version: 1 };
});

test("a source that is damaged is refused in words", async () => {
  const path = join(folder, "users.db");
  {
    await using writer = openSqliteBulkWriter(path);
    await writer.addUsers(users);
    await writer.commit();
  }
  const file = await open(path, "r+");
  const { size } = await file.stat();
  // The schema is at the beginning of the file, and stays readable.
  await file.write(Buffer.alloc(size - 65_536, 0xff), 0, size - 65_536, 65_536);
  await file.close();
  await using reader = openSqliteBulkReader(path);
  const reading = Array.fromAsync(reader.users());
  await expect(reading).rejects.toThrow(DatabaseOpenError);
  await expect(reading).rejects.toThrow(`${path} is damaged, or not a database (`);
});

test("a target that others write to is refused in words", async () => {
  const path = join(folder, "users.db");
  await using _first = openSqliteBulkWriter(path);
  expect(() => openSqliteBulkWriter(path)).toThrow(DatabaseOpenError);
  expect(() => openSqliteBulkWriter(path)).toThrow(`${path} is locked by another process`);
});
