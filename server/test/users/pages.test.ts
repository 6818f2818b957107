import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { connect, failure } from "../support/connect.ts";

test("page sizes out of range are refused", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  for (const pageSize of [-1, 1_001]) {
    expect(await failure(users.listUsers({ pageSize }))).toMatchObject({
      code: "InvalidArgument",
      fields: ["page_size"],
    });
  }
  for (const pageSize of [0, 1, 1_000]) await users.listUsers({ pageSize });
});

test("a page token is good for its own query alone", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  for (const name of ["a", "b", "c"]) await users.createUser({ email: `${name}@example.com`, name });
  const { nextPageToken } = await users.listUsers({ pageSize: 1 });
  expect((await users.listUsers({ pageSize: 2, pageToken: nextPageToken })).users.map(({ name }) => name)).toEqual([
    "b",
    "c",
  ]);
  await using foreign = await startServer();
  const expected = { code: "InvalidArgument", message: "invalid page token", fields: ["page_token"] };
  const changed = nextPageToken.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
  expect(await failure(users.listUsers({ pageToken: nextPageToken, filter: "a" }))).toMatchObject(expected);
  for (const pageToken of ["x", changed, "=", "€"]) {
    expect(await failure(users.listUsers({ pageToken }))).toMatchObject(expected);
  }
  expect(await failure((await connect(foreign)).users.listUsers({ pageToken: nextPageToken }))).toMatchObject(expected);
});
