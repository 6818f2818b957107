import { expect, test } from "vitest";
import { startSignedIn } from "./support/start-signed-in.ts";

const UUID = "[0-9a-f-]{36}";

test("users are created, shown, listed, changed and removed", async () => {
  await using signedIn = await startSignedIn();
  const { run } = signedIn;
  const created = await run(["users", "create", "--email", "ada@example.com", "--name", "Ada"]);
  expect(created).toMatchObject({ code: 0, stderr: "" });
  expect(created.stdout).toMatch(new RegExp(`^${UUID}\tada@example.com\tAda\t\\d{4}-.*Z\n$`));
  const id = created.stdout.slice(0, 36);

  const shown = await run(["users", "get", id, "--json"]);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    id,
    email: "ada@example.com",
    name: "Ada",
    etag: expect.any(String),
  });
  const { etag } = JSON.parse(shown.stdout);

  const changed = await run(["users", "update", id, "--name", "Ada Lovelace", "--etag", etag]);
  expect(changed.stdout).toContain("\tAda Lovelace\t");
  const stale = await run(["users", "update", id, "--name", "A.", "--etag", etag]);
  expect(stale).toMatchObject({ code: 1, stderr: "rollcall: aborted: user was changed by someone else\n" });

  expect(await run(["users", "delete", id])).toMatchObject({ code: 0, stdout: `Removed ${id}\n` });
  expect(await run(["users", "get", id])).toMatchObject({
    code: 1,
    stderr: `rollcall: not_found: user not found: ${id}\n`,
  });
});

test("users list shows a page, or all pages, by every protocol", async () => {
  await using signedIn = await startSignedIn();
  const { run } = signedIn;
  await Promise.all([1, 2, 3].map((n) => run(["users", "create", "--email", `u${n}@example.com`, "--name", `U${n}`])));
  const page = await run(["users", "list", "--page-size", "2", "--json"]);
  const { users, nextPageToken } = JSON.parse(page.stdout);
  expect(users).toHaveLength(2);
  const rest = await run(["users", "list", "--page-token", nextPageToken]);
  expect(rest.stdout.trim().split("\n")).toHaveLength(1);
  for (const protocol of ["grpc", "grpc-web", "connect"]) {
    const all = await run(["users", "list", "--all", "--page-size", "2", "--protocol", protocol]);
    expect(all.stdout.trim().split("\n")).toHaveLength(3);
  }
  expect((await run(["users", "list", "--filter", "u3"])).stdout).toContain("u3@example.com");
});

test("users list searches by words, sorts and counts; users get shows several", async () => {
  await using signedIn = await startSignedIn();
  const { run } = signedIn;
  const ids: string[] = [];
  for (const name of ["Grace Hopper", "ada Lovelace", "Zoe"]) {
    const email = `${name.split(" ")[0]}@example.com`;
    ids.push((await run(["users", "create", "--email", email, "--name", name])).stdout.slice(0, 36));
  }
  const list = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(["users", "list", ...args]);
    return [code, stdout.split("\n").map((line) => line.split("\t")[2] ?? ""), stderr];
  };
  expect(await list("--filter", "love @example.com")).toEqual([0, ["ada Lovelace", ""], ""]);
  expect(await list("--order-by", "name", "--total")).toEqual([
    0,
    ["ada Lovelace", "Grace Hopper", "Zoe", ""],
    "3 users\n",
  ]);
  expect(await list("--order-by", "name desc", "--all", "--page-size", "1", "--total", "--filter", "a")).toEqual([
    0,
    ["ada Lovelace", ""],
    "1 user\n",
  ]);
  const json = await run(["users", "list", "--json", "--total", "--filter", "nobody"]);
  expect(JSON.parse(json.stdout)).toMatchObject({ users: [], totalSize: 0, totalSizeExceeded: false });
  expect(await run(["users", "list", "--order-by", "age"])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/validation failed\n {2}order_by: must be create_time, update_time, name or email/),
  });

  const [grace = "", ada = "", zoe = ""] = ids;
  const shown = await run(["users", "get", zoe, grace, ada]);
  expect(shown.stdout.split("\n").map((line) => line.slice(0, 36))).toEqual([zoe, grace, ada, ""]);
  const asJson = await run(["users", "get", ada, zoe, "--json"]);
  expect(
    asJson.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).name),
  ).toEqual(["ada Lovelace", "Zoe"]);
});

test("a user that is missing is named, in words and in JSON, whatever its id contains", async () => {
  await using signedIn = await startSignedIn();
  const { run } = signedIn;
  const created = await run(["users", "create", "--email", "ada@example.com", "--name", "Ada"]);
  const ada = created.stdout.slice(0, 36);
  for (const protocol of ["grpc", "grpc-web", "connect"]) {
    expect(await run(["users", "get", ada, "nobody", ada, "--protocol", protocol])).toEqual({
      code: 1,
      stdout: "",
      stderr: "rollcall: not_found: user not found: nobody\n",
    });
  }
  const hostile = "x\nrollcall: done\u001b[2K\u009b2K";
  expect(await run(["users", "get", ada, hostile])).toMatchObject({
    code: 1,
    stderr: "rollcall: not_found: user not found: x\uFFFDrollcall: done\uFFFD[2K\uFFFD2K\n",
  });
  const asJson = await run(["users", "get", ada, hostile, "--json"]);
  expect(asJson).toMatchObject({ code: 1, stdout: "", stderr: expect.not.stringContaining("\u001b") });
  expect(JSON.parse(asJson.stderr)).toEqual({
    error: { code: "not_found", message: "user not found", userId: hostile, violations: [] },
  });
});

test("a refusal is shown with its code and every field, as text and as JSON", async () => {
  await using signedIn = await startSignedIn();
  const { run } = signedIn;
  const args = ["users", "create", "--email", "nobody", "--name", " "];
  const asText = await run(args);
  expect(asText.code).toBe(1);
  expect(asText.stderr).toMatch(/^rollcall: invalid_argument: validation failed\n {2}email: .+\n {2}name: .+\n$/);
  const asJson = await run([...args, "--json"]);
  expect(asJson.code).toBe(1);
  expect(JSON.parse(asJson.stderr).error).toMatchObject({
    code: "invalid_argument",
    violations: [{ field: "email" }, { field: "name" }],
  });
});
