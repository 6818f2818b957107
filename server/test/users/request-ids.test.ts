import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { ada, connect, failure } from "../support/connect.ts";

test("a request id replays its answer, for its principal and its content alone", async () => {
  let nowMs = Date.parse("2030-01-01");
  await using server = await startServer({ now: () => nowMs, auth: false });
  const { users } = await connect(server);
  const request = { ...ada, requestId: "5d1f0b0e-0000-4000-8000-000000000001" };
  const first = await users.createUser(request);
  nowMs += 60_000;
  expect(await users.createUser(request)).toEqual(first);
  expect((await users.listUsers({})).users).toHaveLength(1);
  const reused = { code: "InvalidArgument", fields: ["request_id"] };
  expect(await failure(users.createUser({ ...request, name: "Grace" }))).toMatchObject(reused);
  await users.updateUser({ id: first.user?.id ?? "", name: "Changed" });
  expect(await users.createUser(request)).toEqual(first);
  nowMs += 24 * 60 * 60_000;
  expect(await failure(users.createUser(request))).toMatchObject({ code: "AlreadyExists" });
});

test("request ids of two principals are two", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const as = async (subject: string) => ({ headers: await server.auth({ subject }) });
  const { user } = await users.createUser({ ...ada, requestId: "1" }, await as("a"));
  const { user: other } = await users.createUser({ email: "b@example.com", name: "B", requestId: "1" }, await as("b"));
  expect(other?.id).not.toBe(user?.id);
});

test("a refused create is not remembered", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const { user } = await users.createUser(ada);
  const request = { ...ada, requestId: "1" };
  expect(await failure(users.createUser(request))).toMatchObject({ code: "AlreadyExists" });
  await users.deleteUser({ id: user?.id ?? "" });
  expect(await users.createUser(request)).toMatchObject({ user: ada });
});
