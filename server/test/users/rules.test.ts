/** The rules of the contract for the fields of requests. */
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { ada, connect, failure } from "../support/connect.ts";

test("an empty id is named as such", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const expected = { code: "InvalidArgument", message: "user id is required", fields: ["id"] };
  expect(await failure(users.getUser({ id: "" }))).toMatchObject(expected);
  expect(await failure(users.updateUser({ id: "" }))).toMatchObject(expected);
  expect(await failure(users.deleteUser({ id: "" }))).toMatchObject(expected);
});

test("an id that is longer than any is refused, and not sent back", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const expected = { code: "InvalidArgument", message: "validation failed", fields: ["id"] };
  expect(await failure(users.getUser({ id: "x".repeat(200_000) }))).toMatchObject(expected);
  expect(await failure(users.getUser({ id: "x".repeat(128) }))).toMatchObject({ code: "NotFound" });
});

test.each([
  ["no e-mail and no name", { email: "", name: "" }, ["email", "name"]],
  ["an invalid e-mail address", { email: "ada@", name: "Ada" }, ["email"]],
  ["an e-mail of 255 characters", { email: `${"a".repeat(243)}@example.com`, name: "Ada" }, ["email"]],
  ["a name of 201 characters", { email: "a@example.com", name: "x".repeat(201) }, ["name"]],
  ["a blank name", { email: "a@example.com", name: "  " }, ["name"]],
  ["a name that nobody sees", { email: "a@example.com", name: "\u3000\u200b" }, ["name"]],
  ["a name that turns the text around it", { email: "a@example.com", name: "a\u202eb" }, ["name"]],
  ["a name over two lines", { email: "a@example.com", name: "a\nb" }, ["name"]],
  ["a request id with spaces", { ...ada, requestId: "a b" }, ["request_id"]],
  ["all at once", { email: "x", name: "", requestId: "ü" }, ["email", "name", "request_id"]],
])("a user with %s is refused, every violation at once", async (_name, request, fields) => {
  await using server = await startServer();
  const { users } = await connect(server);
  const { code, message, violations } = await failure(users.createUser(request));
  expect({ code, message }).toEqual({ code: "InvalidArgument", message: "validation failed" });
  expect([...new Set(violations.map(({ field }) => field))]).toEqual(fields);
  expect(violations.every(({ description }) => description !== "")).toBe(true);
});

test("what is just within the rules is taken", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const email = `${"a".repeat(64)}@${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(58)}.de`;
  expect(email).toHaveLength(254);
  const { user } = await users.createUser({ email, name: "é".repeat(200) });
  expect(user).toMatchObject({ email, name: "é".repeat(200) });
});

test("without validation the rules are not applied", async () => {
  await using server = await startServer({ validation: false });
  const { users } = await connect(server);
  expect(await users.createUser({ email: "x", name: "" })).toMatchObject({ user: { email: "x" } });
});
