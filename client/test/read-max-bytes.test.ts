import { Code } from "@connectrpc/connect";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { createRollcall, type Rollcall, type RollcallOptions, UserNotFoundError } from "../src/index.ts";
import { createRollcall as createNodeRollcall } from "../src/node/index.ts";

/** Each way to answers, with its own bound of them. */
const ways: Record<string, (options: RollcallOptions) => Rollcall> = {
  "Connect over fetch": createRollcall,
  "Connect over fetch, JSON": (options) => createRollcall({ ...options, useBinaryFormat: false }),
  "gRPC-Web over fetch": (options) => createRollcall({ ...options, protocol: "grpc-web" }),
  WebSocket: (options) => createRollcall({ ...options, protocol: "grpc-websockets" }),
  "Node, gRPC": ({ baseUrl, token, readMaxBytes }) => createNodeRollcall({ baseUrl, token, readMaxBytes }),
};

const tooLarge = (maxBytes: number) => ({
  code: Code.ResourceExhausted,
  rawMessage: expect.stringMatching(`message size \\d+ is larger than configured readMaxBytes ${maxBytes}`),
});

test.each(Object.entries(ways))("by %s, an answer with a larger message is refused", async (name, create) => {
  await using server = await startServer();
  const options = { baseUrl: server.url, token: await server.token(), retry: false as const };
  await using client = create(options);
  const { id } = await client.users.create({ email: "ada@example.com", name: "Ada" });
  for (let index = 0; index < 100; index++) {
    await client.users.create({ email: `user${index}@example.com`, name: "N".repeat(90) });
  }
  const watch = async ({ users }: Rollcall) => {
    let count = 0;
    for await (const { type } of users.watch({ includeExisting: true })) {
      count += 1;
      if (type === "synced") return count;
    }
  };

  await using enough = create({ ...options, readMaxBytes: 2_000 });
  expect((await enough.users.get(id)).name).toBe("Ada");
  // The bound is for each message, and not for all of a stream.
  expect(await watch(enough)).toBe(102);
  await expect(enough.users.list({ pageSize: 100 })).rejects.toMatchObject(tooLarge(2_000));

  await using narrow = create({ ...options, readMaxBytes: 60 });
  await expect(narrow.users.get(id)).rejects.toMatchObject(tooLarge(60));
  await expect(watch(narrow)).rejects.toMatchObject(tooLarge(60));
  // The error of a call is no message. Connect's own transport, which is behind the WebSocket, counts it as one.
  if (name !== "WebSocket") await expect(narrow.users.get("nobody")).rejects.toThrow(UserNotFoundError);
});
