import { createFileRegistry, fromBinary, getOption } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { auth } from "@rollcall/gen/rollcall/options/v1/auth";
import { withProbe } from "@rollcall/testing/probe-service";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const PATH = "/descriptors.binpb";

test("all mounted services are described, and nothing is sent again while it is the same", async () => {
  await using server = await startServer(withProbe({}));
  const response = await fetch(server.url + PATH);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/x-protobuf");
  // Imported files must come before the files that import them, or this would throw.
  const registry = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, new Uint8Array(await response.arrayBuffer())),
  );
  const services = [...registry].filter(({ kind }) => kind === "service").map(({ typeName }) => typeName);
  expect(services.sort()).toEqual([
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "probe.v1.ProbeService",
    "stream.v1.StreamService",
    "user.v1.UserService",
  ]);
  for (const type of ["google.rpc.BadRequest", "rollcall.errors.v1.ErrorReason", "buf.validate.FieldRules"]) {
    expect(registry.get(type), type).toBeDefined();
  }
  // A service may say nothing about callers in the contract. Its option then shows what the host or the server decides.
  const callers = ["probe.v1.ProbeService", "grpc.health.v1.Health", "user.v1.UserService"].map((name) => {
    const [method] = registry.getService(name)?.methods ?? [];
    return method && getOption(method, auth).caller;
  });
  expect(callers).toEqual([
    { case: "scope", value: "streams" },
    { case: "public", value: true },
    { case: "scope", value: "users:read" },
  ]);
  const etag = response.headers.get("etag") ?? "";
  const again = await fetch(server.url + PATH, { headers: { "if-none-match": etag } });
  expect([again.status, await again.text()]).toEqual([304, ""]);
});

test("who may not call reflection gets no contracts", async () => {
  await using server = await startServer({ reflection: "token" });
  const refused = await fetch(server.url + PATH);
  expect(refused.status).toBe(401);
  expect(refused.headers.get("www-authenticate")).toBe("Bearer");
  expect(await refused.json()).toEqual({ code: "unauthenticated", message: "missing authorization token" });
  const wrong = await fetch(server.url + PATH, { headers: { authorization: "Bearer wrong" } });
  expect(await wrong.json()).toEqual({ code: "unauthenticated", message: "invalid token" });
  const authorization = `Bearer ${await server.token({ scopes: [] })}`;
  expect((await fetch(server.url + PATH, { headers: { authorization } })).status).toBe(200);
});

test("callers over their limit get no contracts either", async () => {
  await using server = await startServer({ rateLimit: { perSecond: 0.01, burst: 1 } });
  expect((await fetch(server.url + PATH)).status).toBe(200);
  const refused = await fetch(server.url + PATH);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
});

test("without reflection there are none", async () => {
  await using server = await startServer({ reflection: "off" });
  expect((await fetch(server.url + PATH)).status).toBe(404);
});
