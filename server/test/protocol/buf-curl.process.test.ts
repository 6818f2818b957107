/** buf curl: the clients of connect-go, in three protocols. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code } from "@connectrpc/connect";
import { BadRequestSchema } from "@rollcall/gen/google/rpc/error_details";
import { writeCaFile } from "@rollcall/testing/ca-file";
import { type Connection, connections, startServerFor } from "@rollcall/testing/matrix";
import { root } from "@rollcall/testing/root";
import { type ProgramResult, run } from "@rollcall/testing/run-program";
import type { TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const { http1, h2c, tlsH2 } = connections;
const caFile = writeCaFile();
const buf = join(root, "node_modules/.bin/buf");

// The schema is compiled once, not for each call.
const folder = mkdtempSync(join(tmpdir(), "rollcall-schema-"));
const schema = join(folder, "schema.binpb");
beforeAll(() => run(buf, ["build", "--output", schema]));
afterAll(() => rmSync(folder, { recursive: true }));

type Row = Connection & { protocol: string };

const rows: readonly Row[] = [
  { protocol: "connect", ...http1 },
  { protocol: "grpcweb", ...http1 },
  ...[h2c, tlsH2].flatMap((connection) =>
    ["connect", "grpcweb", "grpc"].map((protocol) => ({ protocol, ...connection })),
  ),
];

describe.each(rows)("buf curl --protocol $protocol over $connection", (row) => {
  test("unary", async () => {
    await using server = await startServerFor(row);
    const ada = { email: "ada@example.com", name: "Ada" };
    const [created] = await answers(server, row, "user.v1.UserService/CreateUser", ada);
    expect(created).toMatchObject({ user: ada });
    const { user } = created as { user: { id: string } };
    expect(await answers(server, row, "user.v1.UserService/GetUser", { id: user.id })).toEqual([created]);
  });

  test("unary, refused with details", async () => {
    await using server = await startServerFor(row);
    const { code: exitCode, stderr } = await bufCurl(server, row, "user.v1.UserService/CreateUser", { email: "ada" });
    // The exit code is the RPC's code times eight.
    expect(exitCode).toBe(Code.InvalidArgument * 8);
    const { code, message, details } = JSON.parse(stderr);
    expect({ code, message }).toEqual({ code: "invalid_argument", message: "validation failed" });
    expect(details).toHaveLength(1);
    expect(details[0].type).toBe("google.rpc.BadRequest");
    const badRequest = fromBinary(BadRequestSchema, base64Decode(details[0].value));
    expect(badRequest.fieldViolations.map(({ field }) => field)).toEqual(["email", "name"]);
  });

  test("server stream", async () => {
    await using server = await startServerFor(row);
    expect(await answers(server, row, "stream.v1.StreamService/ServerStream", { query: "ada" })).toEqual(
      Array.from({ length: 10 }, (_, sequence) => ({
        data: `Result ${sequence} for query: ada`,
        // JSON omits a zero.
        ...(sequence > 0 && { sequence }),
      })),
    );
  });

  test("client stream", async () => {
    await using server = await startServerFor(row);
    const chunks = [{ chunk: btoa("a") }, { chunk: btoa("bc") }];
    // SHA-256 of "abc" (FIPS 180-2, B.1).
    const checksum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(await answers(server, row, "stream.v1.StreamService/ClientStream", ...chunks)).toEqual([
      { totalBytes: "3", checksum },
    ]);
  });
});

// There is no test over HTTP/1.1, since buf curl upgrades to HTTP/2 by itself.
describe.each(rows.filter(({ httpVersion }) => httpVersion === "2"))(
  "buf curl --protocol $protocol over $connection",
  (row) => {
    test("bidi stream", async () => {
      await using server = await startServerFor(row);
      const requests = [{ message: "one" }, { message: "two" }];
      expect(await answers(server, row, "stream.v1.StreamService/BidirectionalStream", ...requests)).toEqual([
        { reply: "Echo: one" },
        { reply: "Echo: two" },
      ]);
    });
  },
);

test.each(["grpc-v1", "grpc-v1alpha"])("by reflection, %s, buf curl needs no schema", async (version) => {
  await using server = await startServerFor(h2c);
  const curl = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(buf, ["curl", "--reflect-protocol", version, ...args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout;
  };
  const flags = ["--protocol", "grpc", ...connectionFlags(h2c)];
  expect(await curl("--list-methods", ...flags, server.url)).toContain("user.v1.UserService/CreateUser\n");
  expect(await curl(...flags, `${server.url}/grpc.health.v1.Health/Check`)).toContain("SERVING");
  const { authorization } = await server.auth();
  const ada = { email: "ada@example.com", name: "Ada" };
  const own = ["--header", `authorization: ${authorization}`, "--data", JSON.stringify(ada)];
  const created = await curl(...own, ...flags, `${server.url}/user.v1.UserService/CreateUser`);
  expect(JSON.parse(created)).toMatchObject({ user: ada });
});

/** Makes the call with all of the requests. */
async function bufCurl(server: TestServer, row: Row, method: string, ...requests: object[]): Promise<ProgramResult> {
  const { authorization } = await server.auth();
  return run(buf, [
    ...["curl", "--schema", schema, "--protocol", row.protocol],
    ...["--header", `authorization: ${authorization}`],
    ...["--data", requests.map((request) => JSON.stringify(request)).join("\n")],
    ...connectionFlags(row),
    `${server.url}/${method}`,
  ]);
}

function connectionFlags({ tls, httpVersion }: Connection): string[] {
  if (tls) return ["--cacert", caFile];
  return httpVersion === "2" ? ["--http2-prior-knowledge"] : [];
}

/** Makes a call that must succeed, and resolves with its answers. */
async function answers(...call: Parameters<typeof bufCurl>): Promise<unknown[]> {
  const { code, stdout, stderr } = await bufCurl(...call);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  // Each message is indented, so the next one begins at a brace in the first column.
  return stdout.split(/^(?=\{)/m).map((json) => JSON.parse(json));
}
