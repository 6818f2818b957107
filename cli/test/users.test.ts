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
  expect(await run(["users", "get", id])).toMatchObject({ code: 1, stderr: "rollcall: not_found: user not found\n" });
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
