import { Code, ConnectError } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import {
  EmailTakenError,
  StaleUserError,
  UnauthorizedError,
  UserNotFoundError,
  ValidationError,
} from "../src/index.ts";
import { createRollcall, type NodeRollcallOptions } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

const wires: Pick<NodeRollcallOptions, "protocol" | "httpVersion">[] = [
  { protocol: "grpc" },
  { protocol: "grpc-web" },
  { protocol: "connect" },
  { protocol: "grpc-web", httpVersion: "1.1" },
  { protocol: "connect", httpVersion: "1.1" },
];

for (const wire of wires) {
  const name = `${wire.protocol} over HTTP/${wire.httpVersion ?? "2"}`;

  test(`users, by ${name}`, async () => {
    await using server = await startServer();
    await using client = createRollcall({ baseUrl: server.url, token: await server.token(), ...wire });
    const ada = await client.users.create({ email: "ada@example.com", name: "Ada" });
    expect(await client.users.get(ada.id)).toEqual(ada);
    const grace = await client.users.create({ email: "grace@example.org", name: "Grace Hopper" });
    expect(await client.users.batchGet([grace.id, ada.id])).toEqual([grace, ada]);
    await expect(client.users.batchGet([ada.id, "nobody"])).rejects.toMatchObject({
      name: "UserNotFoundError",
      userId: "nobody",
    });
    const query = { filter: "@example", orderBy: "create_time desc" };
    expect(await client.users.list({ ...query, pageSize: 1, includeTotalSize: true })).toMatchObject({
      users: [grace],
      totalSize: 2,
      totalSizeExceeded: false,
    });
    expect(await Array.fromAsync(client.users.listAll({ ...query, pageSize: 1 }))).toEqual([grace, ada]);
    expect(await client.users.list({ filter: "hopper" })).toMatchObject({ users: [grace] });
    await expect(client.users.list({ orderBy: "id" })).rejects.toThrow(ValidationError);
    await expect(client.users.list({ pageSize: 1.5 })).rejects.toThrow(ValidationError);
    const changed = await client.users.update(ada.id, { name: "Ada Lovelace" }, { etag: ada.etag });
    expect(changed).toMatchObject({ email: "ada@example.com", name: "Ada Lovelace" });
    await client.users.delete(ada.id, { etag: changed.etag });
    await expect(client.users.get(ada.id)).rejects.toThrow(UserNotFoundError);
  });

  test(`domain errors, by ${name}`, async () => {
    await using server = await startServer();
    await using client = createRollcall({ baseUrl: server.url, token: await server.token(), ...wire });
    const ada = await client.users.create({ email: "ada@example.com", name: "Ada" });

    const notFound = await client.users.get("nobody").catch((error: unknown) => error);
    expect(notFound).toBeInstanceOf(UserNotFoundError);
    expect(notFound).toMatchObject({ userId: "nobody", code: Code.NotFound, message: "user not found" });
    expect((notFound as Error).cause).toBeInstanceOf(ConnectError);

    const invalid = await client.users.create({ email: "no", name: "" }).catch((error: unknown) => error);
    expect(invalid).toBeInstanceOf(ValidationError);
    const { violations } = invalid as ValidationError;
    expect(violations.map(({ field }) => field).sort()).toEqual(["email", "name"]);
    for (const { description } of violations) expect(description).not.toBe("");

    await expect(client.users.create({ email: "ADA@example.com", name: "Eve" })).rejects.toThrow(EmailTakenError);
    await client.users.update(ada.id, { name: "Ada L." });
    const stale = await client.users
      .update(ada.id, { name: "A." }, { etag: ada.etag })
      .catch((error: unknown) => error);
    expect(stale).toBeInstanceOf(StaleUserError);
    expect(stale).toMatchObject({ userId: ada.id });

    await using stranger = createRollcall({ baseUrl: server.url, token: "not.a.token", ...wire });
    await expect(stranger.users.get(ada.id)).rejects.toThrow(UnauthorizedError);
    await using nobody = createRollcall({ baseUrl: server.url, ...wire });
    await expect(nobody.users.get(ada.id)).rejects.toThrow("missing authorization token");
  });

  test(`streams, by ${name}`, async () => {
    await using server = await startServer();
    await using client = createRollcall({ baseUrl: server.url, token: await server.token(), ...wire });
    expect(await Array.fromAsync(client.streams.query("q"))).toHaveLength(10);
    await expect(Array.fromAsync(client.streams.query(""))).rejects.toThrow(ValidationError);
    const receipt = await client.streams.upload(new Blob(["a".repeat(200_000)]));
    expect(receipt.totalBytes).toBe(200_000);
    const chat = client.streams.chat();
    if (wire.httpVersion === "1.1") {
      await expect(Array.fromAsync(chat)).rejects.toThrow();
      return;
    }
    const replies = chat[Symbol.asyncIterator]();
    for (const message of ["one", "two"]) {
      await chat.send(message);
      expect(await replies.next()).toEqual({ done: false, value: `Echo: ${message}` });
    }
    chat.end();
    expect(await replies.next()).toEqual({ done: true, value: undefined });
    await expect(chat.send("late")).rejects.toMatchObject({
      code: Code.Canceled,
      rawMessage: "the chat takes no messages after its end",
    });
  });
}

test("listAllUsers reads page after page, and no more than is asked for", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const count = 25;
  for (let index = 0; index < count; index++) {
    await client.users.create({ email: `user${index}@example.com`, name: `User ${index}` });
  }
  const emails = (await Array.fromAsync(client.users.listAll({ pageSize: 10 }))).map(({ email }) => email);
  // The order of users of the same millisecond is not defined.
  expect(emails.toSorted()).toEqual(Array.from({ length: count }, (_, index) => `user${index}@example.com`).toSorted());
  expect(await Array.fromAsync(client.users.listAll({ filter: "user1" }))).toHaveLength(11);

  const listCalls = () => server.log.filter(({ method }) => String(method).endsWith("/ListUsers")).length;
  const before = listCalls();
  for await (const user of client.users.listAll({ pageSize: 10 })) if (user.name === "User 3") break;
  expect(listCalls()).toBe(before + 1);
});

test("a unary call has a deadline by default", async () => {
  await using server = await startServer();
  const token = await server.token();
  const deadlines: (string | null)[] = [];
  /** Time from a call's start to its header, in milliseconds: the part of the deadline that a busy machine uses up. */
  const spentMs: number[] = [];
  let beganAtMs = 0;
  await using client = createRollcall({
    baseUrl: server.url,
    token,
    interceptors: [
      (next) => (request) => {
        deadlines.push(request.header.get("grpc-timeout"));
        spentMs.push(performance.now() - beganAtMs);
        return next(request);
      },
    ],
  });
  const calls = [
    () => client.users.list(),
    () => client.users.list({}, { timeoutMs: 100_000 }),
    () => client.service(UserService).listUsers({}),
    () => Array.fromAsync(client.streams.query("q")),
  ];
  for (const call of calls) {
    beganAtMs = performance.now();
    await call();
  }
  const [byDefault, own, generated, stream] = deadlines.map((value) => value && Number.parseInt(value, 10));
  const leastMs = spentMs.map((ms) => 4_990 - ms);
  expect(byDefault).toBeGreaterThan(leastMs[0] ?? Number.NaN);
  expect(byDefault).toBeLessThanOrEqual(5_000);
  expect(own).toBeGreaterThan(5_000);
  expect(own).toBeLessThanOrEqual(100_000);
  expect(generated).toBeGreaterThan(leastMs[2] ?? Number.NaN);
  expect(stream).toBeNull();
});

test("a deadline beyond what can be sent does not end the call at once", async () => {
  await using server = await startServer();
  await using client = createRollcall({
    baseUrl: server.url,
    token: await server.token(),
    timeoutMs: Number.MAX_SAFE_INTEGER,
  });
  expect((await client.users.list()).users).toEqual([]);
  expect(await Array.fromAsync(client.streams.query("q", { timeoutMs: 1e12 }))).toHaveLength(10);
});

test("a closed client makes no calls", async () => {
  await using server = await startServer();
  const client = createRollcall({ baseUrl: server.url, token: await server.token() });
  await client.users.list();
  await client.close();
  await client.close();
  await expect(client.users.list()).rejects.toMatchObject({ code: Code.Canceled, rawMessage: "the client is closed" });
});

test("wrong options are refused at once", () => {
  expect(() => createRollcall({ baseUrl: "localhost:8080" })).toThrow("must begin with http:// or https://");
  expect(() => createRollcall({ baseUrl: [] })).toThrow("baseUrl must not be empty");
  expect(() => createRollcall({ baseUrl: ["http://a.example", "http://b.example/api"] })).toThrow("same path");
  expect(() => createRollcall({ baseUrl: "http://localhost", httpVersion: "1.1" })).toThrow("gRPC needs HTTP/2");
  expect(() => createRollcall({ baseUrl: "http://localhost", pool: { size: 0 } })).toThrow(RangeError);
  for (const ms of [Number.NaN, 0, -1]) {
    expect(() => createRollcall({ baseUrl: "http://localhost", pool: { idleTimeoutMs: ms } })).toThrow(
      "pool.idleTimeoutMs must be above 0",
    );
  }
  expect(() => createRollcall({ baseUrl: "https://localhost", tls: { cert: "x" } })).toThrow("go together");
  expect(() => createRollcall({ baseUrl: "https://localhost", tls: { ca: "/does/not/exist" } })).toThrow(
    "tls.ca: /does/not/exist does not exist",
  );
});
