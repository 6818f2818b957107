import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

// Alone in its process: what is compiled is kept there.
test("what the rules need is compiled at the start, not under the first call", async () => {
  const cpuMsSince = (startedAt: NodeJS.CpuUsage) => {
    const { user, system } = process.threadCpuUsage(startedAt);
    return (user + system) / 1_000;
  };
  const startedAt = process.threadCpuUsage();
  await using server = await startServer();
  const startMs = cpuMsSince(startedAt);
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  // Opens the connection, and takes the call's way but for the rules of a name.
  await users.getUser({ id: "nobody" }, { headers }).catch(() => {});
  const calledAt = process.threadCpuUsage();
  await users.createUser({ email: "ada@example.com", name: "Ada" }, { headers });
  const firstMs = cpuMsSince(calledAt);
  expect(firstMs).toBeLessThan(startMs / 3);
});
