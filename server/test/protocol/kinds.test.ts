/** Every kind of RPC, in every protocol over every connection that can carry it, through connect-node. */
import { createHash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createWritableIterable } from "@connectrpc/connect/protocol";
import { type BidiRequestSchema, StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { cells, createCellTransport, http2Cells, startServerFor } from "@rollcall/testing/matrix";
import { describe, expect, test } from "vitest";

const kinds: Record<string, (transport: Transport) => Promise<void>> = {
  async unary(transport) {
    const users = createClient(UserService, transport);
    const { user } = await users.createUser({ email: "ada@example.com", name: "Ada" });
    if (!user) throw new Error("no user");
    expect(await users.getUser({ id: user.id })).toMatchObject({ user });
    expect((await users.listUsers({})).users).toEqual([user]);
    const updated = await users.updateUser({ id: user.id, name: "Ada Lovelace" });
    expect(updated.user).toMatchObject({ id: user.id, email: "ada@example.com", name: "Ada Lovelace" });
    expect(await users.deleteUser({ id: user.id })).toMatchObject({ success: true });
    await expect(users.getUser({ id: user.id })).rejects.toMatchObject({ code: Code.NotFound });
  },
  async "server stream"(transport) {
    const streams = createClient(StreamService, transport);
    const results = await Array.fromAsync(streams.serverStream({ query: "ada" }));
    expect(results.map(({ data, sequence }) => ({ data, sequence }))).toEqual(
      Array.from({ length: 10 }, (_, sequence) => ({ data: `Result ${sequence} for query: ada`, sequence })),
    );
  },
  async "client stream"(transport) {
    const streams = createClient(StreamService, transport);
    const chunks = [1, 2, 3].map((value) => new Uint8Array(70_000).fill(value));
    const receipt = await streams.clientStream(messages(...chunks.map((chunk) => ({ chunk }))));
    expect(receipt.totalBytes).toBe(210_000n);
    expect(receipt.checksum).toBe(createHash("sha256").update(Buffer.concat(chunks)).digest("hex"));
  },
};

describe.each(cells)("$protocol over $connection", (cell) => {
  test.each(Object.entries(kinds))("%s", async (_kind, exercise) => {
    await using server = await startServerFor(cell);
    await exercise(await createCellTransport(server, cell));
  });
});

describe.each(http2Cells)("$protocol over $connection", (cell) => {
  test("bidi stream, full duplex: each answer is there before the next message is sent", async () => {
    await using server = await startServerFor(cell);
    const streams = createClient(StreamService, await createCellTransport(server, cell));
    const requests = createWritableIterable<MessageInitShape<typeof BidiRequestSchema>>();
    const replies = streams.bidirectionalStream(requests)[Symbol.asyncIterator]();
    for (const message of ["one", "two", "three"]) {
      void requests.write({ message });
      expect(await replies.next()).toMatchObject({ value: { reply: `Echo: ${message}` } });
    }
    requests.close();
    expect(await replies.next()).toMatchObject({ done: true });
  });
});

describe.each(cells.filter(({ httpVersion }) => httpVersion === "1.1"))("$protocol over $connection", (cell) => {
  test("bidi stream is refused, and the connection closed", async () => {
    await using server = await startServerFor(cell);
    const streams = createClient(StreamService, await createCellTransport(server, cell));
    const replies = streams.bidirectionalStream(messages({ message: "one" }))[Symbol.asyncIterator]();
    await expect(replies.next()).rejects.toMatchObject({ code: Code.Unknown, rawMessage: "HTTP 505" });
  });
});

async function* messages<T>(...values: T[]): AsyncIterable<T> {
  yield* values;
}
