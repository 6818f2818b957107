import { Code, ConnectError } from "@connectrpc/connect";
import { createRollcall } from "@rollcall/client/node";
import { createTestServer } from "@rollcall/server/testing";
import { expect, test } from "vitest";

test("a test server has tokens of any scopes, and a clock to set", async () => {
  await using server = await createTestServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  server.clock.set(new Date("2031-01-01T00:00:00Z"));
  await expect(client.users.list()).rejects.toThrow("token has expired");

  const token = await server.token({ scopes: ["users:write"], subject: "ada" });
  await using writer = createRollcall({ baseUrl: server.url, token });
  const user = await writer.users.create({ email: "ada@example.com", name: "Ada" });
  expect(user.createdAt?.seconds).toBe(BigInt(Date.UTC(2031, 0, 1) / 1_000));
  const refused = await writer.users.list().catch((error) => error);
  expect(ConnectError.from(refused.cause ?? refused).code).toBe(Code.PermissionDenied);

  server.clock.advance(1_800_000);
  await writer.users.update(user.id, { name: "Ada Lovelace" });
  server.clock.advance(1_800_001);
  await expect(writer.users.update(user.id, { name: "Ada" })).rejects.toThrow("token has expired");
  expect(server.log.filter(({ principal, code }) => principal === "ada" && code === "ok")).toHaveLength(2);

  await using other = await createTestServer();
  await using stranger = createRollcall({ baseUrl: other.url, token: await server.token() });
  await expect(stranger.users.list()).rejects.toThrow("invalid token");
});
