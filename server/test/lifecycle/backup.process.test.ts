import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRollcall } from "@rollcall/client/node";
import { rollcallServer } from "@rollcall/testing/run-server-command";
import { type ServerProcess, startProcess } from "@rollcall/testing/start-process";
import { expect, test } from "vitest";

function makeFolder() {
  const path = mkdtempSync(join(tmpdir(), "rollcall-backup-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function connect({ url, token }: ServerProcess) {
  return createRollcall({ baseUrl: url, token, timeoutMs: 60_000 });
}

test("a backup under writes, restored in another place, has all that was acknowledged before it", async () => {
  using folder = makeFolder();
  const [live, restored, file] = ["live", "restored", "backup.db"].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ];
  const databaseUrl = (place: string) => ({ DATABASE_URL: `sqlite:${join(place, "users.db")}` });
  await using server = await startProcess({ folder: live });
  await using client = connect(server);
  const before: string[] = [];
  for (let index = 0; index < 40; index += 1) {
    const requestId = `request-${index}`;
    before.push((await client.users.create({ email: `u${index}@example.com`, name: `U ${index}`, requestId })).id);
  }
  const { nextPageToken } = await client.users.list({ pageSize: 10 });
  const during: string[] = [];
  let isWriting = true;
  const write = async () => {
    for (let index = 0; isWriting; index += 1) {
      during.push((await client.users.create({ email: `during${index}@example.com`, name: "During" })).id);
    }
  };
  const writing = write();
  const backup = await rollcallServer(["backup", file], { env: databaseUrl(live) });
  isWriting = false;
  await writing;
  expect(backup).toMatchObject({ code: 0, stderr: "" });
  expect(backup.stdout).toMatch(/^\d+ users \([\d.]+ KiB\) are in .*backup\.db, read back and sound\.\n$/);
  // The control: the server took writes meanwhile.
  expect(during.length).toBeGreaterThan(0);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  const restore = await rollcallServer(["restore", file], { env: databaseUrl(restored) });
  expect(restore).toMatchObject({ code: 0, stderr: "" });
  await using second = await startProcess({ folder: restored });
  await using other = connect(second);
  const users = await Array.fromAsync(other.users.listAll());
  const ids = new Set(users.map(({ id }) => id));
  expect(before.filter((id) => !ids.has(id))).toEqual([]);
  // The backup has the first users that were created meanwhile, without a gap.
  expect(users.slice(40).map(({ id }) => id)).toEqual(during.slice(0, users.length - 40));
  // Page tokens and request ids are still valid.
  const next = await other.users.list({ pageSize: 10, pageToken: nextPageToken });
  expect(next.users.map(({ id }) => id)).toEqual(before.slice(10, 20));
  const repeated = await other.users.create({ email: "u7@example.com", name: "U 7", requestId: "request-7" });
  expect(repeated.id).toBe(before[7]);

  // A backup is not restored over an existing database, whose log is in use and has to stay with it.
  const refusal = { code: 1, stdout: "", stderr: expect.stringMatching(/users\.db, .*-wal.* exist: move them away/) };
  const again = await rollcallServer(["restore", file], { env: databaseUrl(live) });
  expect(again).toMatchObject(refusal);
  const overwriting = await rollcallServer(["backup", join(live, "users.db")], { env: databaseUrl(live) });
  expect(overwriting).toMatchObject(refusal);
  expect((await client.users.get(before[0] ?? "")).id).toBe(before[0]);
});

test("wrong usage of rollcall-server is exit code 2, with help, and makes no file", async () => {
  using folder = makeFolder();
  const env = { DATABASE_URL: `sqlite:${join(folder.path, "users.db")}` };
  // `commands.test.ts` tests more of these.
  const wrong = await rollcallServer(["backup"], { env });
  expect(wrong).toMatchObject({ code: 2, stdout: "" });
  expect(wrong.stderr).toContain("rollcall-server: backup needs FILE\n\nUsage: rollcall-server");
  expect(await rollcallServer(["--help"], { env })).toMatchObject({ code: 0, stderr: "" });
  expect((await rollcallServer(["--version"], { env })).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(existsSync(join(folder.path, "users.db"))).toBe(false);
});
