import { ResourceInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { connect, failure } from "../support/connect.ts";

const PEOPLE = [
  { name: "Grace Hopper", email: "grace@navy.example.org" },
  { name: "ada Lovelace", email: "ada.king@example.com" },
  { name: "Zoe", email: "b@example.com" },
];

async function start() {
  const server = await startServer();
  const { users } = await connect(server);
  const made = [];
  for (const fields of PEOPLE) made.push((await users.createUser(fields)).user);
  const names = async (request: Parameters<typeof users.listUsers>[0]) =>
    (await users.listUsers(request)).users.map(({ name }) => name.slice(0, 3));
  const ids = made.map((user) => user?.id ?? "");
  return { users, made, names, ids, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test("a filter finds by any word of name and e-mail, and counts whom it finds", async () => {
  await using directory = await start();
  const { users, names } = directory;
  expect(await names({ filter: "Lovelace" })).toEqual(["ada"]);
  expect(await names({ filter: "@example.com" })).toEqual(["ada", "Zoe"]);
  expect(await names({ filter: "LOVE ada" })).toEqual(["ada"]);
  expect(await names({ filter: "ada hopper" })).toEqual([]);
  expect(await names({ filter: " @ " })).toEqual(["Gra", "ada", "Zoe"]);
  const page = await users.listUsers({ filter: "example", pageSize: 1, includeTotalSize: true });
  expect(page).toMatchObject({ totalSize: 3, totalSizeExceeded: false });
  expect(await users.listUsers({ filter: "nobody", includeTotalSize: true })).toMatchObject({ totalSize: 0 });
  expect((await users.listUsers({})).totalSize).toBe(undefined);
  const words = Array.from({ length: 17 }, (_, index) => String.fromCharCode(97 + index));
  expect(await names({ filter: words.slice(1).join(" ") })).toEqual([]);
  expect(await failure(users.listUsers({ filter: words.join(" ") }))).toMatchObject({
    code: "InvalidArgument",
    message: "filter has too many words",
    fields: ["filter"],
  });
});

test("a list has the order asked for, on all its pages, and a token is good for this order alone", async () => {
  await using directory = await start();
  const { users, names, ids } = directory;
  await users.updateUser({ id: ids[0] ?? "", name: "Grace M. Hopper" });
  for (const [orderBy, expected] of [
    ["", ["Gra", "ada", "Zoe"]],
    ["create_time desc", ["Zoe", "ada", "Gra"]],
    ["created_at", ["Gra", "ada", "Zoe"]],
    ["name", ["ada", "Gra", "Zoe"]],
    [" name   desc ", ["Zoe", "Gra", "ada"]],
    ["email", ["ada", "Zoe", "Gra"]],
    ["update_time desc", ["Gra", "Zoe", "ada"]],
  ] as const) {
    expect(await names({ orderBy }), orderBy).toEqual(expected);
    const { nextPageToken: pageToken } = await users.listUsers({ orderBy, pageSize: 1 });
    expect(await names({ orderBy, pageToken }), orderBy).toEqual(expected.slice(1));
    const other = orderBy === "email" ? "name" : "email";
    expect(await failure(users.listUsers({ orderBy: other, pageToken }))).toMatchObject({
      code: "InvalidArgument",
      message: "invalid page token",
      fields: ["page_token"],
    });
  }
  for (const orderBy of ["age", "name asc", "name,email", "name desc desc", "Name"]) {
    expect(await failure(users.listUsers({ orderBy })), orderBy).toMatchObject({
      code: "InvalidArgument",
      fields: ["order_by"],
    });
  }
});

test("a place after the longest of names fits into a token", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  // In a search key, each of these characters becomes three characters of four bytes.
  const name = "\u{1d160}".repeat(200);
  for (const email of ["a@example.com", "b@example.com"]) await users.createUser({ email, name });
  const { nextPageToken: pageToken } = await users.listUsers({ orderBy: "name", pageSize: 1 });
  expect(pageToken.length).toBeGreaterThan(3_000);
  expect((await users.listUsers({ orderBy: "name", pageToken })).users.map(({ email }) => email)).toEqual([
    "b@example.com",
  ]);
});

test("a batch has its users in the order of the ids, or is refused as a whole", async () => {
  await using directory = await start();
  const { users, made, ids } = directory;
  const [grace = "", ada = "", zoe = ""] = ids;
  const { users: found } = await users.batchGetUsers({ ids: [zoe, grace, zoe, ada] });
  expect(found).toEqual([made[2], made[0], made[2], made[1]]);
  const { code, message, error } = await failure(users.batchGetUsers({ ids: [ada, "nobody", "no one"] }));
  expect({ code, message }).toEqual({ code: "NotFound", message: "user not found" });
  expect(error.findDetails(ResourceInfoSchema)).toMatchObject([{ resourceName: "nobody" }]);
  const invalid = { code: "InvalidArgument", message: "validation failed" };
  for (const wrong of [[], [""], Array.from({ length: 1_001 }, () => ada)]) {
    expect(await failure(users.batchGetUsers({ ids: wrong }))).toMatchObject(invalid);
  }
  expect((await users.batchGetUsers({ ids: Array.from({ length: 1_000 }, () => ada) })).users).toHaveLength(1_000);
});
