import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { startPostgres } from "./start-postgres.ts";

test("keeps what was committed when it is killed, stopped and started again", async () => {
  let folder: string;
  {
    await using postgres = await startPostgres();
    folder = postgres.folder;
    const url = await postgres.createDatabase();
    await postgres.query("CREATE TABLE words AS SELECT 'one' AS word", url);
    const ends = [postgres.kill, postgres.stop, () => postgres.stop("immediate")];
    for (const [index, end] of ends.entries()) {
      await end();
      expect(postgres.pid).toBeUndefined();
      await expect(postgres.query("SELECT 1", url)).rejects.toThrow("ECONNREFUSED");
      await postgres.start();
      expect(await postgres.query("SELECT count(*)::int AS count FROM words", url)).toEqual([{ count: 1 + index }]);
      await postgres.query("INSERT INTO words VALUES ('more')", url);
    }
    expect((await postgres.query("SELECT version() AS version"))[0]?.version).toMatch(/^PostgreSQL 18\./);
    expect(await postgres.query("SELECT 'a' < 'B' AS english")).toEqual([{ english: true }]);
  }
  expect(existsSync(folder)).toBe(false);
});

test("hangs while it is paused, and goes on afterwards", async () => {
  await using postgres = await startPostgres();
  const steps: string[] = [];
  postgres.pause();
  const answer = postgres.query("SELECT 1 AS one").then((rows) => {
    steps.push("answered");
    return rows;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  steps.push("resumed");
  postgres.resume();
  expect(await answer).toEqual([{ one: 1 }]);
  expect(steps).toEqual(["resumed", "answered"]);
});

test("one that is shared keeps no process alive, and ends with it", async () => {
  const script = `
    import { sharedPostgres } from ${JSON.stringify(import.meta.resolve("./shared-postgres.ts"))};
    const [postgres, same] = await Promise.all([sharedPostgres(), sharedPostgres()]);
    await postgres.query("SELECT 1");
    process.stdout.write(JSON.stringify({ isSame: postgres === same, folder: postgres.folder }));`;
  const { stdout, status } = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", script]);
  expect(status).toBe(0);
  const { isSame, folder } = JSON.parse(String(stdout)) as { isSame: boolean; folder: string };
  expect(isSame).toBe(true);
  await expect.poll(() => existsSync(folder)).toBe(false);
});

test("ends with the process that started it, even when that is killed while the server is paused", async () => {
  const script = `
    import { startPostgres } from ${JSON.stringify(import.meta.resolve("./start-postgres.ts"))};
    const postgres = await startPostgres();
    postgres.pause();
    const { pid, folder } = postgres;
    process.stdout.write(JSON.stringify({ pid, folder }), () => process.kill(process.pid, "SIGKILL"));`;
  const { stdout, signal } = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", script]);
  expect(signal).toBe("SIGKILL");
  const { pid, folder } = JSON.parse(String(stdout)) as { pid: number; folder: string };
  // The link is gone too if a process has ended, but was not reaped.
  await expect.poll(() => existsSync(`/proc/${pid}/exe`)).toBe(false);
  await expect.poll(() => existsSync(folder)).toBe(false);
});
