import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

// The test needs its own process, because compiled code stays there.
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
  // This call opens the connection. It takes the same way as the next, except for the rules on a name.
  await users.getUser({ id: "nobody" }, { headers }).catch(() => {});
  const calledAt = process.threadCpuUsage();
  await users.createUser({ email: "ada@example.com", name: "Ada" }, { headers });
  const firstMs = cpuMsSince(calledAt);
  expect(firstMs).toBeLessThan(startMs / 3);
});
