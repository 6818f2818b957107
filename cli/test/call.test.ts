import { globSync } from "node:fs";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { root } from "@rollcall/testing/root";
import { rollcallInside } from "@rollcall/testing/run-rollcall";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { methodNames } from "../src/methods.ts";
import { startSignedIn } from "./support/start-signed-in.ts";

test("call reaches methods of all four kinds", async () => {
  await using signedIn = await startSignedIn();
  const { run } = signedIn;
  const created = await run(["call", "CreateUser", '{"email": "ada@example.com", "name": "Ada"}']);
  expect(JSON.parse(created.stdout)).toMatchObject({ user: { email: "ada@example.com", name: "Ada" } });
  const listed = await run(["call", "user.v1.UserService/ListUsers", "--protocol", "connect"]);
  expect(JSON.parse(listed.stdout)).toMatchObject({ users: [{ name: "Ada" }], nextPageToken: "" });
  const results = await run(["call", "stream.v1.StreamService.ServerStream", "-"], '{"query": "x"}\n');
  expect(
    results.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toHaveLength(10);
  const chunks = `{"chunk": "${btoa("abc")}"}\n\n{"chunk": "${btoa("de")}"}\n`;
  const uploaded = await run(["call", "clientstream"], chunks);
  expect(JSON.parse(uploaded.stdout)).toMatchObject({ totalBytes: "5", checksum: expect.any(String) });
  const health = await run(["call", "grpc.health.v1.Health/Check"]);
  expect(JSON.parse(health.stdout)).toEqual({ status: "SERVING" });
  const replies = await run(["call", "BidirectionalStream", '{"message": "one"}', '{"message": "two"}', "--json"]);
  expect(replies).toEqual({ code: 0, stderr: "", stdout: '{"reply":"Echo: one"}\n{"reply":"Echo: two"}\n' });
});

test("call says what is wrong, with a method, with a message, and with what the server refuses", async () => {
  await using signedIn = await startSignedIn();
  const { run } = signedIn;
  const wrong = async (args: string[], input = "") => run(["call", ...args], input);
  const known = "there are user.v1.UserService/GetUser, ";
  expect(await wrong(["Nothing"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`rollcall: there is no such method; ${known}`),
  });
  expect(await wrong(["GetUser", '{"ids": "x"}'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^rollcall: the message is not a user\.v1\.GetUserRequest in JSON: .*ids/),
  });
  expect(await wrong(["GetUser", "{}", "{}"])).toMatchObject({
    code: 2,
    stderr: "rollcall: GetUser takes one message\n",
  });
  expect(await wrong(["GetUser", "-"])).toMatchObject({ code: 2, stderr: expect.stringContaining("has 0 lines") });
  expect(await wrong(["BidirectionalStream"], '{"message": "one"}\n{"message"\n')).toMatchObject({
    code: 2,
    stdout: '{"reply":"Echo: one"}\n',
    stderr: expect.stringMatching(/^rollcall: line 2 of the input is not a stream\.v1\.BidiRequest in JSON/),
  });
  expect(await wrong(["BidirectionalStream", "{}", "--http", "1.1"])).toMatchObject({ code: 2 });
  const refused = await wrong(["CreateUser", '{"email": "ada"}', "--json"]);
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stderr).error).toMatchObject({ code: "invalid_argument", message: "validation failed" });
  expect(JSON.parse(refused.stderr).error.violations).toHaveLength(2);
});

test("call reaches a service of the host by reflection", async () => {
  await using server = await startServer(
    withProbe({
      unary: ({ value }) => ({ value: `${value}!` }),
      async *bidiStream(requests) {
        for await (const { value } of requests) yield { value: `${value}?` };
      },
    }),
  );
  const token = await server.token();
  const call = (...args: string[]) => rollcallInside(["--address", server.url, "--token", token, "call", ...args]);
  expect(await call("probe.v1.ProbeService/Unary", '"x"', "--json")).toMatchObject({
    ...{ code: 0, stdout: '"x!"\n' },
  });
  const chat = await call("bidistream", '"a"', '"b"', "--json");
  expect(chat).toMatchObject({ code: 0, stdout: '"a?"\n"b?"\n' });
  expect(await call("Unary", "{}")).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining("the message is not a google.protobuf.StringValue in JSON") },
  });
  expect(await call("Nothing")).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining("probe.v1.ProbeService/BidiStream") },
  });
});

test("call reaches a service of the host by its descriptor, where the server has no reflection", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-cli-"));
  const write = async (name: string, files: readonly DescFile[]) => {
    const set = create(FileDescriptorSetSchema, { file: files.map(({ proto }) => proto) });
    await writeFile(join(folder.path, name), toBinary(FileDescriptorSetSchema, set));
    return join(folder.path, name);
  };
  const withImports = (file: DescFile): DescFile[] => [...file.dependencies.flatMap(withImports), file];
  const whole = await write("whole.binpb", [...new Set(withImports(ProbeService.file))]);
  await using server = await startServer({
    ...withProbe({ unary: ({ value }) => ({ value: `${value}!` }) }),
    reflection: "off",
  });
  const globals = ["--address", server.url, "--token", await server.token()];
  const call = (...args: string[]) => rollcallInside([...globals, "call", ...args]);
  expect(await call("Unary", '"x"', "--json")).toMatchObject({ code: 2 });
  expect(await call("Unary", '"x"', "--json", "--descriptor", whole)).toMatchObject({ code: 0, stdout: '"x!"\n' });
  expect(await call("Unary", '"x"', "--http", "1.1", "--descriptor", whole)).toMatchObject({ code: 0 });
  expect(await call("Unary", '"x"', "--http", "1.1")).toMatchObject({
    ...{
      code: 2,
      stderr: expect.stringMatching(/there is no such method; .*; HTTP\/1\.1 has no reflection .*--descriptor\n$/),
    },
  });
  expect(await call("Nothing", "--descriptor", whole)).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining("there is no such method; there are probe.v1.ProbeService/Unary, ") },
  });
  const partial = await write("partial.binpb", [ProbeService.file]);
  expect(await call("Unary", '"x"', "--descriptor", partial)).toMatchObject({
    ...{
      code: 2,
      stderr: expect.stringContaining(`${partial} is no compiled contract with its imports: make it by buf`),
    },
  });
  expect(await call("Unary", '"x"', "--descriptor", folder.path)).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining("is a folder") },
  });
});

test.each([["off"], ["token"]] as const)("without such a method in reflection, which is %s", async (reflection) => {
  await using server = await startServer({ reflection });
  const result = await rollcallInside(["--address", server.url, "call", "Nothing"]);
  expect(result).toMatchObject(
    reflection === "off"
      ? { code: 2, stderr: expect.stringContaining("there is no such method; there are user.v1") }
      : { code: 1, stderr: expect.stringContaining("unauthenticated") },
  );
});

test("call knows every method of the contract", async () => {
  const files = globSync("gen/src/**/*_pb.ts", { cwd: root });
  const modules = await Promise.all(files.map((file) => import(join(root, file))));
  const descriptors = modules.flatMap((module) => Object.values(module)) as DescFile[];
  const services = descriptors.filter(({ kind }) => kind === "file").flatMap((file) => file.services);
  const names = services.flatMap(({ typeName, methods }) => methods.map(({ name }) => `${typeName}/${name}`));
  expect(names.toSorted()).toEqual(methodNames.toSorted());
});
