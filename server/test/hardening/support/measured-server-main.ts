/** The program of `startMeasuredServer`: a test's server, which its parent asks by messages. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer } from "@rollcall/testing/start-server";

const server = await startServer(JSON.parse(process.argv[2] ?? "{}"));
const headers = await server.auth();

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

let peak = 0;
setInterval(() => {
  peak = Math.max(peak, usedBytes());
}, 10);

const answers: Record<string, (argument: unknown) => unknown> = {
  async memory() {
    // Memory that was freed within a turn, such as a buffer's, goes with the next collection.
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return usedBytes();
  },
  peak() {
    const bytes = Math.max(peak, usedBytes());
    peak = 0;
    return bytes;
  },
  log: (message) => server.log.filter(({ msg }) => msg === message),
  async users(count) {
    const users = createClient(UserService, createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" }));
    for (let start = 0; start < Number(count); start += 100) {
      const batch = Array.from({ length: Math.min(100, Number(count) - start) }, (_, index) => start + index);
      await Promise.all(
        batch.map((n) => users.createUser({ email: `user${n}@example.com`, name: `User ${n}` }, { headers })),
      );
    }
  },
};

process.on("message", async ({ id, question, argument }: { id: number; question: string; argument: unknown }) => {
  process.send?.({ id, answer: await answers[question]?.(argument) });
});
process.on("disconnect", () => process.exit(0));
process.send?.({ url: server.url, port: server.port, ...headers });
