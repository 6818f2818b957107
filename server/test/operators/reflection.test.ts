import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { createFetchTransport } from "@rollcall/client";
import { file_user_v1_user, UserService } from "@rollcall/gen/user/v1/user";
import { createCellTransport, errorOf, http2Cells, startServerFor } from "@rollcall/testing/matrix";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { openReflection, versions } from "./support/reflection-client.ts";

const [{ service: v1 }] = versions;

const names = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "stream.v1.StreamService",
  "user.v1.UserService",
];

const grpc = (server: TestServer): Transport => createGrpcTransport({ baseUrl: server.url });

describe.each(http2Cells)("$protocol over $connection", (cell) => {
  test.each(versions)("a client that knows reflection $version alone makes a call", async ({ service }) => {
    await using server = await startServerFor(cell);
    const transport = await createCellTransport(server, cell);
    const reflection = openReflection(transport, service);
    const loaded = await reflection.load();
    await reflection.end();
    expect(loaded.names).toEqual(names);
    const found = loaded.registry.getService("user.v1.UserService") as typeof UserService;
    expect(found).not.toBe(UserService);
    const user = { email: "ada@example.com", name: "Ada" };
    expect((await createClient(found, transport).createUser(user)).user).toMatchObject(user);
  });
});

test("a WebSocket carries it too", async () => {
  await using server = await startServer();
  const reflection = openReflection(createFetchTransport({ baseUrl: server.url }), v1);
  expect((await reflection.load()).names).toEqual(names);
  await reflection.end();
});

describe.each(versions)("reflection $version", ({ service }) => {
  test("finds files by name, by every kind of symbol, and by extension", async () => {
    await using server = await startServer();
    const { ask, files } = openReflection(grpc(server), service);
    const [file, ...imports] = await files({ case: "fileByFilename", value: "user/v1/user.proto" });
    if (!file) expect.unreachable();
    expect(toBinary(FileDescriptorProtoSchema, file)).toEqual(
      toBinary(FileDescriptorProtoSchema, file_user_v1_user.proto),
    );
    // All imported files are sent too, so the client need not ask again.
    expect(imports.map(({ name }) => name)).toEqual(
      expect.arrayContaining([...file.dependency, "google/protobuf/descriptor.proto"]),
    );
    const fileOf = async (value: string) =>
      (await files({ case: "fileContainingSymbol", value })).map(({ name }) => name);
    for (const symbol of [
      ...["user.v1.UserService", "user.v1.UserService.GetUser", "user.v1.User", "user.v1.User.email"],
    ]) {
      // The imports were already sent.
      expect(await fileOf(symbol)).toEqual(["user/v1/user.proto"]);
    }
    const health = "grpc/health/v1/health.proto";
    const status = "grpc.health.v1.HealthCheckResponse";
    for (const symbol of [`${status}.ServingStatus`, `${status}.SERVING`, "grpc.health.v1.HealthListResponse.statuses"])
      expect(await fileOf(symbol)).toEqual([health]);
    expect(await fileOf("buf.validate.field")).toEqual(["buf/validate/validate.proto"]);
    expect(await fileOf("buf.validate.FieldRules.type")).toEqual(["buf/validate/validate.proto"]);
    // Errors carry messages of this file.
    expect(await fileOf("google.rpc.BadRequest")).toContain("google/rpc/error_details.proto");

    const containingType = "google.protobuf.FieldOptions";
    const [extension] = await files({
      case: "fileContainingExtension",
      value: { containingType, extensionNumber: 1159 },
    });
    expect(extension?.name).toBe("buf/validate/validate.proto");
    const numbers = async (value: string) => (await ask({ case: "allExtensionNumbersOfType", value })).messageResponse;
    expect((await numbers(containingType)).value).toMatchObject({
      baseTypeName: containingType,
      extensionNumber: [1159, 1160],
    });
    expect((await numbers("user.v1.User")).value).toMatchObject({ extensionNumber: [] });
  });

  test("answers what it does not find in the stream, which goes on", async () => {
    await using server = await startServer();
    const { ask, end } = openReflection(grpc(server), service);
    const questions = [
      { case: "fileByFilename", value: "nothing.proto" },
      { case: "fileContainingSymbol", value: "user.v1.Nothing" },
      { case: "fileContainingSymbol", value: "user.v1" },
      { case: "fileContainingSymbol", value: "__proto__" },
      { case: "fileContainingExtension", value: { containingType: "user.v1.User", extensionNumber: 1 } },
      { case: "allExtensionNumbersOfType", value: "user.v1.Nothing" },
      { case: "allExtensionNumbersOfType", value: "user.v1.UserService" },
    ] as const;
    for (const question of questions) {
      const { messageResponse, originalRequest, validHost } = await ask(question);
      expect(messageResponse).toMatchObject({
        case: "errorResponse",
        value: { errorCode: Code.NotFound, errorMessage: expect.stringMatching(/^not found: /) },
      });
      expect(originalRequest).toMatchObject({ host: "example.com", messageRequest: question });
      expect(validHost).toBe("example.com");
    }
    expect((await ask({ case: undefined })).messageResponse.value).toMatchObject({ errorCode: Code.InvalidArgument });
    expect((await ask({ case: "listServices", value: "" })).messageResponse.case).toBe("listServicesResponse");
    await end();
  });
});

test("services of the host are reflected", async () => {
  await using server = await startServer(withProbe({ unary: ({ value }) => ({ value: `${value}!` }) }));
  const { load } = openReflection(grpc(server), v1);
  const loaded = await load();
  expect(loaded.names).toContain(ProbeService.typeName);
  const found = loaded.registry.getService(ProbeService.typeName) as typeof ProbeService;
  const headers = await server.auth();
  expect((await createClient(found, grpc(server)).unary({ value: "hello" }, { headers })).value).toBe("hello!");
});

describe("who may use it", () => {
  const ask = async (server: TestServer, headers: Record<string, string> = {}) =>
    openReflection(grpc(server), v1, { headers }).ask({ case: "listServices", value: "" });

  test("callers with any token, where it is not open", async () => {
    await using server = await startServer({ reflection: "token", openStreams: { perConnection: 0 } });
    expect(await errorOf(ask(server))).toMatchObject({
      code: Code.Unauthenticated,
      rawMessage: "missing authorization token",
    });
    // Callers with a token are known, so the limit for strangers does not apply.
    await ask(server, await server.auth({ scopes: [] }));
  });

  test("nobody, where it is off", async () => {
    await using server = await startServer({ reflection: "off" });
    expect(await errorOf(ask(server, await server.auth()))).toMatchObject({ code: Code.Unimplemented });
  });

  test("on another host than localhost nobody, unless it is set", async () => {
    await using server = await startServer({ host: "127.0.0.1" });
    expect(await errorOf(ask(server))).toMatchObject({ code: Code.Unimplemented });
  });
});

describe("a stranger's stream is bounded", () => {
  const list = { case: "listServices", value: "" } as const;

  test("in number, on one connection", async () => {
    await using server = await startServer({ openStreams: { perConnection: 1 } });
    const transport = grpc(server);
    await openReflection(transport, v1).ask(list);
    expect(await errorOf(openReflection(transport, v1).ask(list))).toMatchObject({ code: Code.ResourceExhausted });
  });

  test.each([{ reflectionIdleMs: 50 }, { reflectionRequests: 1 }])("in time and requests: %o", async (openStreams) => {
    await using server = await startServer({ openStreams: { ...openStreams, perConnection: 1 } });
    const transport = grpc(server);
    const first = openReflection(transport, v1);
    await first.ask(list);
    // The stream ends without an error, and clients then open another one.
    expect(await first.hasEnded()).toBe(true);
    await openReflection(transport, v1).ask(list);
  });

  test("in the size of a request", async () => {
    await using server = await startServer();
    const question = { case: "fileContainingSymbol", value: "x".repeat(5_000) } as const;
    expect(await errorOf(openReflection(grpc(server), v1).ask(question))).toMatchObject({
      code: Code.ResourceExhausted,
    });
  });

  test("by the server's stop", async () => {
    const server = await startServer({ shutdownGraceMs: 600_000 });
    const { ask } = openReflection(grpc(server), v1);
    await ask(list);
    await server.app.close();
    expect(await errorOf(ask(list))).toMatchObject({ code: Code.Unavailable });
  });
});

test("a request by Connect over HTTP/1.1 says what it needs", async () => {
  await using server = await startServer();
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
  await expect(openReflection(transport, v1).ask({ case: "listServices", value: "" })).rejects.toThrow();
});
