import { once } from "node:events";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { type Credentials, createCertificateAuthority } from "@rollcall/testing/certificates";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";

const authority = await createCertificateAuthority("Test CA");
const own = await authority.issue({ commonName: "server", hosts: ["localhost"] });
const importer = await authority.issue({ commonName: "importer", uris: ["spiffe://example.org/importer"] });
const both = await authority.issue({ commonName: "both", hosts: ["a.internal", "b.internal"] });
/** A certificate that nobody has listed. Its common name does not count as an identity. */
const unlisted = await authority.issue({ commonName: "spiffe://example.org/importer", hosts: ["c.internal"] });
const clientScopes = {
  "URI:spiffe://example.org/importer": ["users:read"],
  "DNS:a.internal": ["users:read"],
  "DNS:b.internal": ["streams"],
};
const tls = { ...own, clientCa: authority.cert, clientScopes };

interface TransportOptions {
  baseUrl: string;
  nodeOptions: Credentials & { ca: string };
}

const transports = {
  "gRPC over h2": (options: TransportOptions) => createGrpcTransport(options),
  "Connect over HTTP/1.1": (options: TransportOptions) => createConnectTransport({ ...options, httpVersion: "1.1" }),
};

function connect(server: TestServer, client: Credentials, transport: keyof typeof transports = "gRPC over h2") {
  const nodeOptions = { ...client, ca: authority.cert };
  const carrier = transports[transport]({ baseUrl: server.url, nodeOptions });
  return { users: createClient(UserService, carrier), streams: createClient(StreamService, carrier) };
}

async function refusal(call: Promise<unknown>): Promise<string> {
  const { code, rawMessage } = await call.then(() => expect.fail("was let in"), ConnectError.from);
  return `${Code[code]}: ${rawMessage}`;
}

const search = (streams: ReturnType<typeof connect>["streams"]) =>
  Array.fromAsync(streams.serverStream({ query: "q" }));
const missingToken = "Unauthenticated: missing authorization token";

describe.each(["direct", "stock"] as const)("on the %s carrier", (rpcEngine) => {
  test.each(Object.keys(transports) as (keyof typeof transports)[])(
    "a listed certificate lets its client in without a token, with its own scopes, over %s",
    async (transport) => {
      await using server = await startServer({ tls, rpcEngine });
      const { users, streams } = connect(server, importer, transport);
      expect(await users.listUsers({})).toMatchObject({ users: [] });
      expect(server.log.find(({ msg }) => msg === "call")).toMatchObject({
        principal: "URI:spiffe://example.org/importer",
      });
      expect(await refusal(users.createUser({ email: "ada@example.com", name: "Ada" }))).toBe(
        "PermissionDenied: missing scope users:write",
      );
      expect(await refusal(search(streams))).toBe("PermissionDenied: missing scope streams");
      const { users: strangers } = connect(server, unlisted, transport);
      expect(await refusal(strangers.listUsers({}))).toBe(missingToken);
    },
  );

  test("a token counts alone, whatever the certificate", async () => {
    await using server = await startServer({ tls, rpcEngine });
    const { users, streams } = connect(server, importer);
    const headers = await server.auth({ scopes: ["streams"] });
    expect(await refusal(users.listUsers({}, { headers }))).toBe("PermissionDenied: missing scope users:read");
    expect(await Array.fromAsync(streams.serverStream({ query: "q" }, { headers }))).toHaveLength(10);
    expect(await refusal(users.listUsers({}, { headers: { authorization: "Bearer no" } }))).toBe(
      "Unauthenticated: invalid token",
    );
    expect(await refusal(users.listUsers({}, { headers: { authorization: "" } }))).toBe(
      "Unauthenticated: authorization has to be Bearer and a token",
    );
  });

  test("the scopes of all its listed identities count, under the name of the first", async () => {
    await using server = await startServer({ tls, rpcEngine });
    const { users, streams } = connect(server, both);
    await users.listUsers({});
    expect(await search(streams)).toHaveLength(10);
    expect(server.log.filter(({ msg }) => msg === "call").map(({ principal }) => principal)).toEqual(
      Array(2).fill("DNS:a.internal"),
    );
  });

  test("a certificate that expires ends its streams, and lets nobody in after that", async () => {
    let aheadMs = 0;
    const expiresAtMs = Math.floor(Date.now() / 1_000 + 3_600) * 1_000;
    const brief = await authority.issue({
      commonName: "brief",
      uris: ["spiffe://example.org/importer"],
      notAfter: new Date(expiresAtMs),
    });
    await using server = await startServer({
      tls: { ...tls, clientScopes: { "URI:spiffe://example.org/importer": ["users:read", "streams"] } },
      rpcEngine,
      now: () => Date.now() + aheadMs,
    });
    const { users, streams } = connect(server, brief);
    await users.listUsers({});
    aheadMs = expiresAtMs - Date.now() - 500;
    async function* never() {
      yield { message: "hello" };
      await new Promise(() => {});
    }
    const expired = "Unauthenticated: client certificate has expired";
    expect(await refusal(Array.fromAsync(streams.bidirectionalStream(never())))).toBe(expired);
    expect(await refusal(users.listUsers({}))).toBe(expired);
  });

  test("a browser's stream over WebSocket has the certificate of its connection", async () => {
    await using server = await startServer({ tls, rpcEngine });
    const path = "/stream.v1.StreamService/ServerStream";
    const answer = async (client: Credentials) => {
      const socket = new WebSocket(server.url + path, ["grpc-websockets"], { ...client, ca: authority.cert });
      await once(socket, "open");
      socket.send(Buffer.from("content-type: application/grpc-web+proto\r\n"));
      let text = "";
      socket.on("message", (data: Buffer) => {
        text += data.toString();
      });
      await once(socket, "close");
      return /grpc-message: ?([^\r]*)/i.exec(text)?.[1];
    };
    expect(decodeURIComponent((await answer(importer)) ?? "")).toBe("missing scope streams");
    expect(decodeURIComponent((await answer(unlisted)) ?? "")).toBe("missing authorization token");
  });
});

test("a replaced list counts for the next call, also on an open connection", async () => {
  await using server = await startServer({ tls });
  const { users } = connect(server, importer);
  await users.listUsers({});
  server.app.replaceTls({ ...tls, clientScopes: {} });
  expect(await refusal(users.listUsers({}))).toBe(missingToken);
  server.app.replaceTls({ ...tls, clientScopes: { "URI:spiffe://example.org/importer": ["users:write"] } });
  expect(await refusal(users.listUsers({}))).toBe("PermissionDenied: missing scope users:read");
});
