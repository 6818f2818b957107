/** Third-party clients: grpc-js over HTTP/2, and connect-web over fetch, as in a browser. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { create, type MessageShape } from "@bufbuild/protobuf";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { BadRequestSchema } from "@rollcall/gen/google/rpc/error_details";
import {
  BidiRequestSchema,
  ClientStreamRequestSchema,
  type ClientStreamResponseSchema,
  StreamService,
} from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { connectErrorOf, GrpcJsClient } from "@rollcall/testing/grpc-js";
import { authenticate, type Connection, connections, startServerFor, testCa } from "@rollcall/testing/matrix";
import type { TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

describe.each([connections.h2c, connections.tlsH2])("grpc-js: gRPC over $connection", (connection) => {
  test("unary", async () => {
    await using server = await startServerFor(connection);
    using client = await createGrpcJsClient(server, connection);
    const { createUser, getUser } = UserService.method;
    const { user } = await client.unary(createUser, { email: "ada@example.com", name: "Ada" });
    if (!user) throw new Error("no user");
    expect(await client.unary(getUser, { id: user.id })).toMatchObject({ user });
  });

  test("unary, refused with details", async () => {
    await using server = await startServerFor(connection);
    using client = await createGrpcJsClient(server, connection);
    const refused = client.unary(UserService.method.createUser, { email: "ada", name: "" });
    const error: ServiceError = await refused.then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: "validation failed" });
    const [badRequest] = connectErrorOf(error)?.findDetails(BadRequestSchema) ?? [];
    expect(badRequest?.fieldViolations.map(({ field }) => field)).toEqual(["email", "name"]);
  });

  test("server stream", async () => {
    await using server = await startServerFor(connection);
    using client = await createGrpcJsClient(server, connection);
    const results = await client.serverStream(StreamService.method.serverStream, { query: "ada" }).toArray();
    expect(results.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("server stream, past its deadline", async () => {
    await using server = await startServerFor(connection, { streams: { resultIntervalMs: 600_000 } });
    using client = await createGrpcJsClient(server, connection);
    const { serverStream } = StreamService.method;
    const results = client.serverStream(serverStream, { query: "ada" }, { deadline: Date.now() + 100 });
    await expect(results.toArray()).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  test("client stream", async () => {
    await using server = await startServerFor(connection);
    using client = await createGrpcJsClient(server, connection);
    const chunks = [1, 2, 3].map((value) => new Uint8Array(70_000).fill(value));
    const receipt = await new Promise<MessageShape<typeof ClientStreamResponseSchema>>((resolve, reject) => {
      const upload = client.clientStream(StreamService.method.clientStream, (error, response) =>
        response ? resolve(response) : reject(error),
      );
      for (const chunk of chunks) upload.write(create(ClientStreamRequestSchema, { chunk }));
      upload.end();
    });
    expect(receipt.totalBytes).toBe(210_000n);
    expect(receipt.checksum).toBe(createHash("sha256").update(Buffer.concat(chunks)).digest("hex"));
  });

  test("bidi stream, full duplex", async () => {
    await using server = await startServerFor(connection);
    using client = await createGrpcJsClient(server, connection);
    const call = client.bidiStream(StreamService.method.bidirectionalStream);
    for (const message of ["one", "two", "three"]) {
      call.write(create(BidiRequestSchema, { message }));
      expect(await once(call, "data")).toMatchObject([{ reply: `Echo: ${message}` }]);
    }
    call.end();
    expect(await once(call, "status")).toMatchObject([{ code: status.OK }]);
  });
});

const webTransports: readonly { client: string; create(options: WebOptions): Transport }[] = [
  { client: "gRPC-Web", create: createGrpcWebTransport },
  { client: "gRPC-Web JSON", create: (options) => createGrpcWebTransport({ ...options, useBinaryFormat: false }) },
  { client: "Connect proto", create: (options) => createConnectTransport({ ...options, useBinaryFormat: true }) },
  { client: "Connect JSON", create: createConnectTransport },
  {
    client: "Connect proto by GET",
    create: (options) => createConnectTransport({ ...options, useBinaryFormat: true, useHttpGet: true }),
  },
  { client: "Connect JSON by GET", create: (options) => createConnectTransport({ ...options, useHttpGet: true }) },
];
type WebOptions = Pick<Parameters<typeof createConnectTransport>[0], "baseUrl" | "interceptors" | "fetch">;

describe.each([connections.http1, connections.tlsHttp1])("connect-web: fetch with tls: $tls", (connection) => {
  // fetch has no option for an authority. This one applies to the whole process until it is no longer needed.
  const authorities = getCACertificates("default");
  beforeAll(() => setDefaultCACertificates([testCa]));
  afterAll(() => setDefaultCACertificates(authorities));

  test.each(webTransports)("$client: unary", async ({ client, create }) => {
    await using server = await startServerFor(connection);
    const verbs: unknown[] = [];
    const users = createClient(
      UserService,
      create({
        baseUrl: server.url,
        interceptors: [authenticate(await server.token())],
        fetch: (url, init) => {
          verbs.push(init?.method);
          return fetch(url, init);
        },
      }),
    );
    const { user } = await users.createUser({ email: "ada@example.com", name: "Ada" });
    if (!user) throw new Error("no user");
    expect(await users.getUser({ id: user.id })).toMatchObject({ user });
    await expect(users.getUser({ id: "none" })).rejects.toMatchObject({ code: Code.NotFound });
    // Only methods without side effects may be called by GET.
    const read = client.endsWith("GET") ? "GET" : "POST";
    expect(verbs).toEqual(["POST", read, read]);
  });

  test.each(webTransports)("$client: server stream", async ({ create }) => {
    await using server = await startServerFor(connection);
    const transport = create({ baseUrl: server.url, interceptors: [authenticate(await server.token())] });
    const streams = createClient(StreamService, transport);
    const results = await Array.fromAsync(streams.serverStream({ query: "ada" }));
    expect(results.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await expect(Array.fromAsync(streams.serverStream({ query: "" }))).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "query is required",
    });
  });
});

async function createGrpcJsClient(server: TestServer, { tls }: Connection): Promise<GrpcJsClient> {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${await server.token()}`);
  return new GrpcJsClient(server.port, metadata, tls ? testCa : undefined);
}
