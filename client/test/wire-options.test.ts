import { startServer } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { createRollcall, type RollcallOptions } from "../src/index.ts";
import { createRollcall as createNodeRollcall, type NodeRollcallOptions } from "../src/node/index.ts";

/** Records the calls on the wire: the headers that the options change, and the verbs of HTTP/1.1. */
async function watchRequests(port: number) {
  const seen: string[] = [];
  const verbs: string[] = [];
  const proxy = await startTcpProxy(port, {
    onRequestBytes(bytes) {
      const [, verb, method] = /^(GET|POST) \S+Service\/(\w+)/.exec(bytes.toString("latin1")) ?? [];
      if (verb) verbs.push(`${verb} ${method}`);
      return bytes;
    },
  });
  const interceptors: RollcallOptions["interceptors"] = [
    (next) => async (request) => {
      const response = await next(request);
      const type = request.header.get("content-type") ?? "";
      const coding = [...request.header].find(([name]) => /content-encoding|grpc-encoding/.test(name))?.[1];
      seen.push([request.method.name, type, coding].filter(Boolean).join(" "));
      return response;
    },
  ];
  return { seen, verbs, interceptors, proxy };
}

const user = { email: "ada@example.com", name: "Ada" };

async function* pieces() {
  yield new TextEncoder().encode("a".repeat(70_000));
}

async function* none() {}

test.each<[Partial<RollcallOptions>, string[]]>([
  [{}, ["CreateUser application/proto", "GetUser application/proto", "ClientStream application/grpc-web+proto"]],
  [
    { useBinaryFormat: false, useHttpGet: false },
    ["CreateUser application/json", "GetUser application/json", "ClientStream application/grpc-web+json"],
  ],
  [
    { protocol: "grpc-web", useBinaryFormat: false },
    [
      "CreateUser application/grpc-web+json",
      "GetUser application/grpc-web+json",
      "ClientStream application/grpc-web+json",
    ],
  ],
])("over fetch and WebSocket, with %j", async (options, expected) => {
  await using server = await startServer();
  const { seen, verbs, interceptors, proxy } = await watchRequests(server.port);
  await using _ = proxy;
  await using client = createRollcall({ baseUrl: proxy.url, token: await server.token(), interceptors, ...options });
  const { id } = await client.users.create(user);
  expect(await client.users.get(id)).toMatchObject(user);
  expect(await client.streams.upload(pieces())).toMatchObject({ totalBytes: 70_000 });
  expect(seen).toEqual(expected);
  const isGet = options.protocol !== "grpc-web" && options.useHttpGet !== false;
  expect(verbs).toEqual(["POST CreateUser", `${isGet ? "GET" : "POST"} GetUser`, "GET ClientStream"]);
});

test("a read whose URL would be too long goes by POST", async () => {
  await using server = await startServer();
  const { verbs, proxy } = await watchRequests(server.port);
  await using _ = proxy;
  const options = { baseUrl: proxy.url, token: await server.token() };
  await using node = createNodeRollcall({ ...options, protocol: "connect", httpVersion: "1.1", useHttpGet: true });
  await using page = createRollcall(options);
  await using inJson = createRollcall({ ...options, useBinaryFormat: false });
  const { id } = await page.users.create(user);
  verbs.length = 0;
  for (const client of [node, page, inJson]) {
    for (const count of [50, 1_000]) {
      expect(await client.users.batchGet(Array(count).fill(id))).toHaveLength(count);
    }
  }
  expect(verbs).toEqual(Array(3).fill(["GET BatchGetUsers", "POST BatchGetUsers"]).flat());
});

test("an answer to GET is compressed like one to POST", async () => {
  await using server = await startServer();
  const options = { baseUrl: server.url, token: await server.token(), protocol: "connect", useHttpGet: true } as const;
  const codings: (string | null)[] = [];
  const interceptors: NodeRollcallOptions["interceptors"] = [
    (next) => async (request) => {
      const response = await next(request);
      codings.push(response.header.get("content-encoding"));
      return response;
    },
  ];
  await using client = createNodeRollcall({ ...options, interceptors });
  await using without = createNodeRollcall({ ...options, interceptors, acceptCompression: [] });
  const { id } = await client.users.create(user);
  codings.length = 0;
  for (const each of [client, without]) await each.users.batchGet(Array(70).fill(id));
  expect(codings).toEqual(["gzip", null]);
});

test.each<[Partial<NodeRollcallOptions>, string[]]>([
  [{}, ["CreateUser application/grpc+proto", "GetUser application/grpc+proto"]],
  [
    { protocol: "connect", httpVersion: "1.1", useBinaryFormat: false, useHttpGet: true },
    ["CreateUser application/json", "GetUser application/json"],
  ],
  [
    { sendCompression: "gzip", compressMinBytes: 0 },
    ["CreateUser application/grpc+proto gzip", "GetUser application/grpc+proto gzip"],
  ],
  [
    { protocol: "grpc-web", sendCompression: "br", compressMinBytes: 0 },
    ["CreateUser application/grpc-web+proto br", "GetUser application/grpc-web+proto br"],
  ],
  [
    { protocol: "connect", httpVersion: "1.1", sendCompression: "gzip", compressMinBytes: 0 },
    ["CreateUser application/proto gzip", "GetUser application/proto gzip"],
  ],
])("in Node, with %j", async (options, expected) => {
  await using server = await startServer();
  const { seen, verbs, interceptors, proxy } = await watchRequests(server.port);
  await using _ = proxy;
  const base = { baseUrl: proxy.url, token: await server.token(), interceptors };
  await using client = createNodeRollcall({ ...base, ...options });
  const { id } = await client.users.create(user);
  expect(await client.users.get(id)).toMatchObject(user);
  expect(seen).toEqual(expected);
  const isGet = options.useHttpGet === true;
  if (options.httpVersion === "1.1") expect(verbs).toEqual(["POST CreateUser", `${isGet ? "GET" : "POST"} GetUser`]);
  expect(await client.streams.upload(pieces())).toMatchObject({ totalBytes: 70_000 });
  expect(await client.streams.upload(none())).toMatchObject({ totalBytes: 0 });
});
