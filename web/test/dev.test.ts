import { request } from "node:http";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createFetchTransport } from "@rollcall/client";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer } from "@rollcall/testing/start-server";
import { createServer } from "vite";
import { expect, test, vi } from "vitest";

test.each(["localhost", "::1"])("with hot reload, calls of every kind reach the server on %s too", async (host) => {
  await using server = await startServer({ host });
  vi.stubEnv("HOST", host);
  vi.stubEnv("PORT", String(server.port));
  const vite = await createServer({
    configFile: join(import.meta.dirname, "../vite.config.ts"),
    logLevel: "error",
    server: { port: 0, host: "localhost" },
  });
  try {
    await vite.listen();
    const [address = ""] = vite.resolvedUrls?.local ?? [];
    const transport = createFetchTransport({ baseUrl: address.replace(/\/$/, "") });
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
    // The Origin that a browser sends; the control is a page from elsewhere.
    expect(await openSocket(address, new URL(address).origin)).toBe("open");
    expect(await openSocket(address, "https://evil.example")).toBe("refused");
  } finally {
    await vite.close();
    vi.unstubAllEnvs();
  }
});

function openSocket(address: string, origin: string): Promise<"open" | "refused"> {
  const headers = {
    origin,
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": Buffer.alloc(16).toString("base64"),
    "sec-websocket-protocol": "grpc-websockets",
  };
  return new Promise((resolve, reject) => {
    request(new URL("/stream.v1.StreamService/BidirectionalStream", address), { headers })
      .on("upgrade", (_response, socket) => {
        socket.destroy();
        resolve("open");
      })
      .on("response", (response) => {
        response.destroy();
        resolve("refused");
      })
      .on("error", reject)
      .end();
  });
}
