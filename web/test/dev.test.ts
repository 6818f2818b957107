import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { createServer } from "vite";
import { expect, test, vi } from "vitest";
import { createBrowserTransport } from "../../client/src/browser-transport.ts";
import { startServer } from "../../server/test/harness.ts";

test("with hot reload, calls of every kind reach the server too", async () => {
  await using server = await startServer();
  vi.stubEnv("PORT", String(server.port));
  const vite = await createServer({
    configFile: join(import.meta.dirname, "../vite.config.ts"),
    logLevel: "error",
    server: { port: 0, host: "localhost" },
  });
  try {
    await vite.listen();
    const [address = ""] = vite.resolvedUrls?.local ?? [];
    const transport = createBrowserTransport({ baseUrl: address.replace(/\/$/, "") });
    const headers = await server.auth();
    expect((await createClient(UserService, transport).listUsers({}, { headers })).users).toEqual([]);
    const replies = [];
    const requests = (async function* () {
      yield { message: "hot" };
    })();
    for await (const { reply } of createClient(StreamService, transport).bidirectionalStream(requests, { headers })) {
      replies.push(reply);
    }
    expect(replies).toEqual(["Echo: hot"]);
  } finally {
    await vite.close();
    vi.unstubAllEnvs();
  }
});
