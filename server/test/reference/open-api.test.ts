import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OpenApiDocument, PathItem } from "../../src/reference/openapi/document.ts";
import { createSchemaChecks, type SchemaChecks } from "./support/schema-checks.ts";

let server: TestServer;
let text: string;
let document: OpenApiDocument;
let checks: SchemaChecks;
let authorization: string;

beforeAll(async () => {
  server = await startServer();
  ({ authorization } = await server.auth());
  text = await (await fetch(`${server.url}/openapi.json`)).text();
  document = JSON.parse(text);
  checks = createSchemaChecks(document);
});
afterAll(() => server[Symbol.asyncDispose]());

const users = "/user.v1.UserService";

interface Answer {
  user?: { id: string; etag: string };
}

/** Calls a method, and checks its answer against the document. */
async function call(path: string, message: object, headers: Record<string, string> = { authorization }) {
  const response = await fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(message),
  });
  const answer = (await response.json()) as Answer;
  checks.assertAnswer(path, "post", response.status, answer);
  return { status: response.status, answer };
}

test("is a valid OpenAPI 3.1 document", async () => {
  const result = await new Validator().validate(JSON.parse(text));
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  // The control.
  const broken = { ...document, paths: { "/x": { post: { responses: { ok: {} } } } } };
  expect((await new Validator().validate(broken)).valid).toBe(false);
});

test("is the same from another server", async () => {
  await using other = await startServer();
  expect(await (await fetch(`${other.url}/openapi.json`)).text()).toBe(text);
});

describe("answers of the server are as described", () => {
  test("of every unary method of the directory", async () => {
    const created = await call(`${users}/CreateUser`, { email: "ada@example.com", name: "Ada" });
    expect(created.status).toBe(200);
    const { id, etag } = created.answer.user ?? expect.fail();
    const calls: Record<string, object> = {
      GetUser: { id },
      BatchGetUsers: { ids: [id] },
      ListUsers: { includeTotalSize: true },
      UpdateUser: { id, name: "Ada Lovelace", updateMask: "name", etag },
      GetUserHistory: { id },
      DeleteUser: { id },
    };
    const unary = Object.entries(document.paths).filter(
      ([path, { post }]) => path.startsWith(`${users}/`) && post.requestBody?.content["application/json"],
    );
    for (const [path] of unary) {
      const name = path.slice(users.length + 1);
      if (name === "CreateUser") continue;
      expect(checks.isRequest(path, calls[name]), name).toBe(true);
      expect((await call(path, calls[name] ?? {})).status, name).toBe(200);
    }
    expect((await call("/grpc.health.v1.Health/Check", {}, {})).status).toBe(200);
  });

  test.each([
    [400, "CreateUser", { email: "nobody", name: "" }],
    [400, "GetUser", { no: "such field" }],
    [404, "GetUser", { id: "missing" }],
    [409, "CreateUser", { email: "grace@example.com", name: "Grace" }],
  ])("of the error %i of %s", async (status, name, message) => {
    if (status === 409) await call(`${users}/CreateUser`, message);
    expect((await call(`${users}/${name}`, message)).status).toBe(status);
  });

  test("of a call without a token, with a wrong scope, and of the wrong type", async () => {
    expect((await call(`${users}/ListUsers`, {}, {})).status).toBe(401);
    const weak = await server.auth({ scopes: ["streams"] });
    expect((await call(`${users}/ListUsers`, {}, weak)).status).toBe(403);
    expect((await call(`${users}/ListUsers`, {}, { authorization, "content-type": "text/plain" })).status).toBe(415);
  });

  test("of a read by GET", async () => {
    const path = `${users}/ListUsers`;
    const [, ...required] = (document.paths[path]?.get?.parameters ?? []).flatMap((parameter) =>
      "in" in parameter && parameter.in === "query" && parameter.required ? [parameter.name] : [],
    );
    expect(required).toEqual(["encoding"]);
    const url = `${server.url}${path}?encoding=json&message=${encodeURIComponent('{"pageSize":1}')}`;
    const response = await fetch(url, { headers: { authorization } });
    checks.assertAnswer(path, "get", response.status, await response.json());
    const etag = response.headers.get("etag") ?? "";
    expect((await fetch(url, { headers: { authorization, "if-none-match": etag } })).status).toBe(304);
  });

  test("and a wrong one is seen", () => {
    const path = `${users}/GetUser`;
    expect(() => checks.assertAnswer(path, "post", 200, { user: { id: 1 } })).toThrow("/user/id");
    expect(() => checks.assertAnswer(path, "post", 200, { usr: {} })).toThrow("usr");
    expect(() => checks.assertAnswer(path, "post", 404, { code: "internal" })).toThrow("/code");
  });
});

describe("requests", () => {
  test.each([
    ["CreateUser", { email: "ada@example.com", name: "Ada" }, true],
    ["CreateUser", { email: "ada@example.com" }, false],
    ["CreateUser", { email: "nobody", name: "Ada" }, false],
    ["CreateUser", { email: "ada@example.com", name: "A".repeat(201) }, false],
    ["CreateUser", { email: "ada@example.com", name: "Ada", nick: "a" }, false],
    ["GetUser", { id: "" }, false],
    ["GetUser", {}, false],
    ["BatchGetUsers", { ids: [] }, false],
    ["BatchGetUsers", { ids: [""] }, false],
    ["ListUsers", {}, true],
    ["ListUsers", { pageSize: 1001 }, false],
    ["ListUsers", { pageSize: -1 }, false],
    ["UpdateUser", { id: "missing", email: "" }, true],
    ["UpdateUser", { id: "missing", email: "nobody" }, false],
    ["UpdateUser", { id: "missing", updateMask: "etag" }, false],
    ["UpdateUser", { id: "missing", name: "A", updateMask: "name" }, true],
  ])("%s with %j: the document and the server agree that it is valid: %j", async (name, message, isValid) => {
    const path = `${users}/${name}`;
    expect(checks.isRequest(path, message)).toBe(isValid);
    const { status } = await call(path, message);
    expect(status === 400).toBe(!isValid);
  });
});

describe("the document", () => {
  const item = (path: string) => document.paths[path] as PathItem;

  test("has every method that is mounted, with its scope", () => {
    expect(item(`${users}/GetUser`).post.security).toEqual([{ token: ["users:read"] }]);
    expect(item(`${users}/DeleteUser`).post.security).toEqual([{ token: ["users:write"] }]);
    expect(item("/grpc.health.v1.Health/Check").post.security).toEqual([]);
    expect(Object.keys(document.paths)).toContain("/stream.v1.StreamService/BidirectionalStream");
  });

  test("has a GET for reads, and for nothing else", () => {
    expect(item(`${users}/GetUser`).get?.operationId).toBe("user.v1.UserService.GetUser.get");
    expect(item(`${users}/CreateUser`).get).toBeUndefined();
    expect(item("/stream.v1.StreamService/ServerStream").get).toBeUndefined();
  });

  test("describes streams by their content type", () => {
    const { requestBody, responses } = item("/stream.v1.StreamService/ServerStream").post;
    expect(Object.keys(requestBody?.content ?? {})).toEqual(["application/connect+json"]);
    expect(responses[200]).toMatchObject({ content: { "application/connect+json": {} } });
  });

  test("has the reasons of errors", () => {
    expect(document.components.schemas["connect.Error"]?.description).toContain(
      "- `EMAIL_TAKEN`: already_exists: another user has the e-mail.",
    );
  });

  test("says which fields exclude each other", () => {
    const event = document.components.schemas["user.v1.WatchUsersResponse"];
    expect(event?.description).toMatch(/- at most one of `created`, `updated`,/);
    expect(checks.isValid("user.v1.WatchUsersResponse", { synced: {}, changeId: "a" })).toBe(true);
    expect(checks.isValid("user.v1.WatchUsersResponse", { changeId: "a" })).toBe(true);
    expect(checks.isValid("user.v1.WatchUsersResponse", { synced: {}, reset: {} })).toBe(false);
  });

  test("has the comments of the contract", () => {
    expect(document.components.schemas["user.v1.User"]?.properties?.id?.description).toBe(
      "A UUIDv7, chosen by the server.",
    );
    expect(item(`${users}/DeleteUser`).post.description).toMatch(/^DeleteUser removes a user\./);
  });
});
