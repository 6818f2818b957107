/** Servers whose answers are well-formed, but that no client should take as they are. */
import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { createRollcall } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

interface Services {
  users?: Partial<ServiceImpl<typeof UserService>>;
  streams?: Partial<ServiceImpl<typeof StreamService>>;
}

/** Starts a server with such answers, and a client of it. */
async function connectTo({ users = {}, streams = {} }: Services) {
  const routes: Parameters<typeof connectNodeAdapter>[0]["routes"] = (router) => {
    router.service(UserService, users).service(StreamService, streams);
  };
  const server = http2.createServer(connectNodeAdapter({ routes })).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createRollcall({ baseUrl: url });
  return {
    url,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      server.close();
    },
  };
}

const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("an upload that is answered before its end has not succeeded", async () => {
  await using odd = await connectTo({
    streams: { clientStream: async () => ({ totalBytes: 0n, checksum: emptySha256 }) },
  });
  const { promise: never } = Promise.withResolvers<void>();
  async function* source() {
    await never;
    yield new Uint8Array(1);
  }
  await expect(odd.client.streams.upload(source())).rejects.toMatchObject({
    code: Code.Internal,
    rawMessage: "the server has answered before the end of the upload",
  });
});

test.each([1n, -1n])("a receipt with the right checksum and %d bytes is none", async (totalBytes) => {
  await using odd = await connectTo({
    streams: {
      async clientStream(chunks) {
        for await (const _ of chunks);
        return { totalBytes, checksum: emptySha256 };
      },
    },
  });
  await expect(odd.client.streams.upload(new Blob([]))).rejects.toMatchObject({
    code: Code.Internal,
    rawMessage: `the server has counted ${totalBytes} of 0 bytes`,
  });
});

test("a watch is not opened again when the server forbids it", async () => {
  let streams = 0;
  await using odd = await connectTo({
    users: {
      async *watchUsers() {
        streams += 1;
        if (streams === 1) yield { event: { case: "synced", value: {} }, resumeToken: "one" };
        throw new ConnectError("no more", Code.Unavailable, { "grpc-retry-pushback-ms": "-1" });
      },
    },
  });
  const types: string[] = [];
  const watch = async () => {
    for await (const { type } of odd.client.users.watch()) types.push(type);
  };
  await expect(watch()).rejects.toMatchObject({ code: Code.Unavailable, rawMessage: "no more" });
  expect({ types, streams }).toEqual({ types: ["synced"], streams: 1 });
});

test("a watch resumes after events of a kind that it does not know", async () => {
  const resumed: string[] = [];
  await using odd = await connectTo({
    users: {
      async *watchUsers({ resumeToken }) {
        resumed.push(resumeToken);
        yield { event: { case: "synced", value: {} }, resumeToken: "one" };
        yield { event: { case: undefined }, resumeToken: "two" };
        throw new ConnectError("restarted", Code.Unavailable);
      },
    },
  });
  for await (const _ of odd.client.users.watch({}, { retry: { initialDelayMs: 1 } })) if (resumed.length === 2) break;
  expect(resumed).toEqual(["", "two"]);
});

test("a watch can be left before its first event, and while it waits for its server", async () => {
  let streams = 0;
  await using odd = await connectTo({
    users: {
      async *watchUsers(_, { signal }) {
        streams += 1;
        if (streams === 2) throw new ConnectError("busy", Code.Unavailable, { "retry-after": "3600" });
        await once(signal, "abort");
        yield {};
      },
    },
  });
  const silent = ReadableStream.from(odd.client.users.watch());
  const first = silent.getReader();
  const read = first.read();
  await until(() => streams === 1);
  await first.cancel();
  expect(await read).toEqual({ done: true, value: undefined });
  const retries: ConnectError[] = [];
  const waiting = odd.client.users.watch({}, { onRetry: (error) => retries.push(error) })[Symbol.asyncIterator]();
  const next = waiting.next();
  await until(() => retries.length === 1);
  await waiting.return?.();
  await expect(next).rejects.toMatchObject({ code: Code.Canceled });
});

test("a page that is followed by itself ends a list", async () => {
  let pages = 0;
  await using odd = await connectTo({
    users: {
      async listUsers() {
        pages += 1;
        return { nextPageToken: "same" };
      },
    },
  });
  await expect(Array.fromAsync(odd.client.users.listAll())).rejects.toMatchObject({ code: Code.Internal });
  expect(pages).toBe(2);
});

test("close ends the wait for another attempt, however long the server asks for", async () => {
  const busy = async () => {
    throw new ConnectError("busy", Code.Unavailable, { "retry-after": "3600" });
  };
  await using odd = await connectTo({
    users: {
      getUser: busy,
      async *watchUsers() {
        yield { event: { case: "synced", value: {} } };
        await busy();
      },
    },
  });
  const retry = { onRetry: () => waiting.push("unary") };
  const waiting: string[] = [];
  await using client = createRollcall({ baseUrl: odd.url, retry });
  const read = client.users.get("ada", { timeoutMs: 0 });
  const watch = Array.fromAsync(client.users.watch({}, { onRetry: () => waiting.push("watch") }));
  const ends = [read, watch].map((call) => call.catch((error: unknown) => error));
  await until(() => waiting.length === 2);
  await client.close();
  expect(await Promise.all(ends)).toMatchObject([
    { code: Code.Canceled, rawMessage: "the client is closed" },
    { code: Code.Canceled, rawMessage: "the client is closed" },
  ]);
});
