import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { authenticate } from "@rollcall/testing/matrix";
import { type ServerProcess, startProcess } from "@rollcall/testing/start-process";
import { afterEach, beforeEach, expect, test } from "vitest";

const CREATES = 600;
const IN_FLIGHT = 64;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rollcall-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function connect({ url, token }: ServerProcess) {
  const transport = createGrpcTransport({
    baseUrl: url,
    interceptors: [authenticate(token)],
  });
  return createClient(UserService, transport);
}

test("kill -9 in the middle of 600 creates loses no acknowledged user, and a retry makes no second one", async () => {
  const acknowledged = new Map<string, string>();
  {
    await using server = await startProcess({ folder });
    const users = connect(server);
    let next = 0;
    const work = async () => {
      while (next < CREATES) {
        const number = next++;
        const { user } = await users.createUser({
          email: `user${number}@example.com`,
          name: `User ${number}`,
          requestId: `create-${number}`,
        });
        acknowledged.set(`create-${number}`, user?.id ?? "");
        if (acknowledged.size === CREATES / 2) server.process.kill("SIGKILL");
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: IN_FLIGHT }, work));
    expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
    expect(await server.exited).toBe(null);
  }
  expect(acknowledged.size).toBeGreaterThanOrEqual(CREATES / 2);
  expect(acknowledged.size).toBeLessThan(CREATES);

  await using server = await startProcess({ folder });
  const users = connect(server);
  const kept = new Set<string>();
  for (let pageToken = ""; ; ) {
    const page = await users.listUsers({ pageSize: 1_000, pageToken });
    for (const { id } of page.users) kept.add(id);
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  expect([...acknowledged.values()].filter((id) => !kept.has(id))).toEqual([]);
  // A user that was written and not acknowledged was in flight; its retry finds it.
  expect(kept.size - acknowledged.size).toBeLessThanOrEqual(IN_FLIGHT);
  for (const [requestId, id] of [...acknowledged].slice(-5)) {
    const number = requestId.slice("create-".length);
    const request = { email: `user${number}@example.com`, name: `User ${number}`, requestId };
    expect((await users.createUser(request)).user?.id).toBe(id);
  }
});
