import { ErrorInfoSchema, ResourceInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { ada, connect, failure } from "../support/connect.ts";

test("a user is created, read, listed, changed and removed", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const { user } = await users.createUser({ email: "ada@example.com", name: "Ada" });
  if (!user) throw new Error("no user");
  expect(user.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  expect(await users.getUser({ id: user.id })).toMatchObject({ user });
  expect((await users.listUsers({})).users).toEqual([user]);
  const updated = await users.updateUser({ id: user.id, name: "Ada Lovelace", etag: user.etag });
  expect(updated.user).toMatchObject({ email: "ada@example.com", name: "Ada Lovelace", createdAt: user.createdAt });
  expect(updated.user?.etag).not.toBe(user.etag);
  expect(await users.deleteUser({ id: user.id })).toMatchObject({ success: true });
  await expect(users.getUser({ id: user.id })).rejects.toThrow("user not found");
});

test("an update mask names fields that can be changed, and they have values", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const { user: { id } = { id: "" } } = await users.createUser(ada);
  const update = (paths: string[], fields: { email?: string; name?: string }) =>
    users.updateUser({ id, updateMask: { paths }, ...fields });
  expect(await failure(update(["created_at"], ada))).toMatchObject({
    code: "InvalidArgument",
    fields: ["update_mask"],
  });
  expect(await failure(update(["email", "name"], {}))).toMatchObject({ fields: ["email", "name"] });
  expect(await failure(update(["*"], { name: "B" }))).toMatchObject({ fields: ["email"] });
  expect((await update(["name"], { email: "ignored@example.com", name: "B" })).user).toMatchObject({
    ...ada,
    name: "B",
  });
  expect((await update(["*"], { email: "c@example.com", name: "C" })).user).toMatchObject({ name: "C" });
  const { user } = await update([], { name: "D" });
  expect(user).toMatchObject({ email: "c@example.com", name: "D" });
  expect((await update([], {})).user).toEqual(user);
  expect(await failure(users.updateUser({ id, etag: '"1"' }))).toMatchObject({ code: "Aborted" });
});

test("a user that is not there is not found, and named", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  for (const call of [
    () => users.getUser({ id: "x" }),
    () => users.updateUser({ id: "x", name: "A" }),
    () => users.deleteUser({ id: "x" }),
  ]) {
    const { code, message, error } = await failure(call());
    expect({ code, message }).toEqual({ code: "NotFound", message: "user not found" });
    expect(error.findDetails(ResourceInfoSchema)).toMatchObject([{ resourceType: "user.v1.User", resourceName: "x" }]);
  }
});

test("an e-mail is taken whatever its case, also by a change", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  await users.createUser(ada);
  const { user } = await users.createUser({ email: "grace@example.com", name: "Grace" });
  const taken = { code: "AlreadyExists", message: "email already in use" };
  const { error, ...rest } = await failure(users.createUser({ email: "ADA@example.COM", name: "Ada" }));
  expect(rest).toMatchObject(taken);
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "EMAIL_TAKEN", domain: "rollcall" }]);
  expect(await failure(users.updateUser({ id: user?.id ?? "", email: ada.email }))).toMatchObject(taken);
  expect((await users.updateUser({ id: user?.id ?? "", email: "GRACE@example.com" })).user?.email).toBe(
    "GRACE@example.com",
  );
});

test("a stale etag aborts a change and a removal, the user's own does not", async () => {
  await using server = await startServer();
  const { users } = await connect(server);
  const { user: first } = await users.createUser(ada);
  const id = first?.id ?? "";
  const { user: second } = await users.updateUser({ id, name: "B", etag: first?.etag ?? "" });
  const stale = { code: "Aborted", message: "user was changed by someone else" };
  for (const etag of [first?.etag ?? "", "nonsense", 'W/"2"']) {
    expect(await failure(users.updateUser({ id, name: "C", etag }))).toMatchObject(stale);
    expect(await failure(users.deleteUser({ id, etag }))).toMatchObject(stale);
  }
  expect(await users.deleteUser({ id, etag: second?.etag ?? "" })).toMatchObject({ success: true });
});
