import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

test("a user is created, read, listed, changed and removed", async () => {
  await using server = await startServer();
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  const options = { headers: await server.auth() };
  const { user } = await users.createUser({ email: "ada@example.com", name: "Ada" }, options);
  if (!user) throw new Error("no user");
  expect(user.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  expect(await users.getUser({ id: user.id }, options)).toMatchObject({ user });
  expect((await users.listUsers({}, options)).users).toEqual([user]);
  const updated = await users.updateUser({ id: user.id, name: "Ada Lovelace", etag: user.etag }, options);
  expect(updated.user).toMatchObject({ email: "ada@example.com", name: "Ada Lovelace", createdAt: user.createdAt });
  expect(updated.user?.etag).not.toBe(user.etag);
  expect(await users.deleteUser({ id: user.id }, options)).toMatchObject({ success: true });
  await expect(users.getUser({ id: user.id }, options)).rejects.toThrow("user not found");
});
