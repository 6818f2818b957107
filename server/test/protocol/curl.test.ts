/** curl: Connect as plain HTTP with JSON. */

import { writeCaFile } from "@rollcall/testing/ca-file";
import { type Connection, connections, startServerFor } from "@rollcall/testing/matrix";
import { run } from "@rollcall/testing/run-program";
import type { TestServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const { http1, h2c, tlsHttp1, tlsH2 } = connections;
const caFile = writeCaFile();

/** Output of `curl --version`; empty if curl is not installed. */
const version = await run("curl", ["--version"]).then(
  ({ stdout }) => stdout,
  () => "",
);

describe.each([
  { ...http1, flags: ["--http1.1"] },
  { ...h2c, flags: ["--http2-prior-knowledge"] },
  { ...tlsHttp1, flags: ["--http1.1", "--cacert", caFile] },
  { ...tlsH2, flags: ["--http2", "--cacert", caFile] },
])("curl: Connect JSON over $connection", (row) => {
  test("unary by POST, and by GET", async ({ skip }) => {
    skip(!version, "curl is not installed");
    skip(row.httpVersion === "2" && !/\bHTTP2\b/.test(version), "this curl has no HTTP/2");
    await using server = await startServerFor(row);
    const ada = { email: "ada@example.com", name: "Ada" };
    const created = await curl(server, row, "user.v1.UserService/CreateUser", postOf(ada));
    expect(created).toMatchObject({ status: 200, httpVersion: row.httpVersion, body: { user: ada } });
    const read = await curl(server, row, "user.v1.UserService/GetUser", getOf({ id: created.body.user.id }));
    expect(read).toEqual(created);
  });

  test("an error, with its details readable", async ({ skip }) => {
    skip(!version, "curl is not installed");
    skip(row.httpVersion === "2" && !/\bHTTP2\b/.test(version), "this curl has no HTTP/2");
    await using server = await startServerFor(row);
    const fieldViolations = [
      { field: "email", description: "must be a valid email address" },
      { field: "name", description: "must not be empty" },
    ];
    expect(await curl(server, row, "user.v1.UserService/CreateUser", postOf({ email: "ada" }))).toMatchObject({
      status: 400,
      body: {
        code: "invalid_argument",
        message: "validation failed",
        details: [{ type: "google.rpc.BadRequest", debug: { fieldViolations } }],
      },
    });
    expect(await curl(server, row, "user.v1.UserService/GetUser", getOf({ id: "none" }))).toMatchObject({
      status: 404,
      body: {
        code: "not_found",
        message: "user not found",
        details: [{ type: "google.rpc.ResourceInfo", debug: { resourceType: "user.v1.User", resourceName: "none" } }],
      },
    });
  });
});

function postOf(message: object): string[] {
  return ["--header", "content-type: application/json", "--data", JSON.stringify(message)];
}

function getOf(message: object): string[] {
  const query = ["connect=v1", "encoding=json", `message=${JSON.stringify(message)}`];
  return ["--get", ...query.flatMap((parameter) => ["--data-urlencode", parameter])];
}

async function curl(server: TestServer, { flags }: Connection & { flags: string[] }, method: string, args: string[]) {
  const { authorization } = await server.auth();
  const { code, stdout, stderr } = await run("curl", [
    // The machine's settings are ignored: no .curlrc, no proxy.
    ...["--disable", "--noproxy", "*", "--silent", "--show-error", "--write-out", "\n%{http_version} %{http_code}"],
    ...["--header", `authorization: ${authorization}`],
    ...flags,
    ...args,
    `${server.url}/${method}`,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [body = "", outcome = ""] = stdout.split("\n");
  const [httpVersion, status] = outcome.split(" ");
  return { httpVersion, status: Number(status), body: JSON.parse(body) };
}
