import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { childEnv } from "@rollcall/testing/child-env";
import { rollcallMain } from "@rollcall/testing/run-rollcall";
import { until } from "@rollcall/testing/start-server";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";
import { startSignedIn } from "./support/start-signed-in.ts";

let folder: string;
withFolderEach((created) => {
  folder = created;
});

interface Line {
  readonly type: string;
  readonly user?: { readonly name: string };
  readonly resumeToken: string;
  readonly changeId: string;
}

/** Starts `rollcall users watch --json`, and collects what it prints. */
function startWatch(args: readonly string[], env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [rollcallMain, "users", "watch", "--json", ...args], {
    env: { ...childEnv, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (bytes) => {
    stdout += bytes;
  });
  child.stderr?.on("data", (bytes) => {
    stderr += bytes;
  });
  const lines = () =>
    stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  return {
    lines,
    stderr: () => stderr,
    has: (type: string, name?: string) =>
      until(() => lines().some((line) => line.type === type && line.user?.name === name)),
    async kill(signal: NodeJS.Signals): Promise<number | null> {
      const closed = once(child, "close");
      child.kill(signal);
      return (await closed)[0] as number | null;
    },
  };
}

test("users watch keeps its place in a file, and misses nothing after kill -9", async () => {
  await using signedIn = await startSignedIn();
  const { run, env } = signedIn;
  const create = async (name: string) => {
    const created = await run(["users", "create", "--email", `${name}@example.com`, "--name", name]);
    return created.stdout.slice(0, 36);
  };
  const cursor = join(folder, "cursor");
  const args = ["--existing", "--from-file", cursor];
  await create("first");
  const watch = startWatch(args, env);
  await watch.has("synced");
  expect(watch.lines().map(({ type }) => type)).toEqual(["reset", "created", "synced"]);
  await create("second");
  await watch.has("created", "second");
  const kept = watch.lines().at(-1)?.resumeToken;
  await until(() => existsSync(cursor) && readFileSync(cursor, "utf8") === `${kept}\n`);
  await watch.kill("SIGKILL");
  const id = await create("third");
  const next = startWatch(args, env);
  await next.has("synced");
  expect(next.lines().map(({ type, user }) => `${type} ${user?.name}`)).toEqual(["created third", "synced undefined"]);
  await run(["users", "update", id, "--name", "renamed"]);
  await run(["users", "delete", id]);
  await next.has("removed");
  expect(await next.kill("SIGTERM")).toBe(143);
  expect(next.stderr()).toMatch(/^\{"state":"live"\}\n\{"error":\{"message":"stopped after /);
  // The last place was kept at the end.
  const last = startWatch(["--from-file", cursor], env);
  await last.has("synced");
  expect(last.lines()).toHaveLength(1);
  await last.kill("SIGTERM");

  const history = await run(["users", "history", id]);
  const rows = history.stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t").slice(1));
  expect(rows).toEqual([
    ["tester", "removed", "third@example.com", "renamed"],
    ["tester", "updated", "name: third -> renamed"],
    ["tester", "created", "third@example.com", "third"],
  ]);
  const ofNobody = await run(["users", "history", "nobody"]);
  expect(ofNobody).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("keeps no change") });
  const asJson = (await run(["users", "history", id, "--json"])).stdout.trimEnd().split("\n");
  expect(asJson.map((line) => JSON.parse(line).id)).toEqual(
    next
      .lines()
      .filter(({ changeId }) => changeId !== "")
      .map(({ changeId }) => changeId)
      .reverse(),
  );
});

test("users watch says what is wrong with its place", async () => {
  await using signedIn = await startSignedIn();
  const { run } = signedIn;
  const cursor = join(folder, "cursor");
  writeFileSync(cursor, "not a token\n");
  const broken = await run(["users", "watch", "--from-file", cursor]);
  expect(broken).toMatchObject({ code: 2, stderr: expect.stringContaining("has no resume token") });
  expect(await run(["users", "watch", "--from-file", cursor, "--from", "x"])).toMatchObject({ code: 2 });
  for (const args of [
    ["--ack", "--json"],
    ["--ack", "--from-file", join(folder, "none")],
  ]) {
    expect(await run(["users", "watch", ...args])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--ack needs"),
    });
  }
  const acknowledging = ["users", "watch", "--ack", "--json", "--from-file", join(folder, "none")];
  expect(await run(acknowledging, "not a token\n")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("line 1 of the input is no resumeToken"),
  });
  expect(await run(acknowledging, "")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("the acknowledgements have ended"),
  });
  const wrong = await run(["users", "watch", "--from", "nonsense"]);
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("invalid resume token") });
});
