/** A server on an IPv6 address: every stock client reaches it, including those that omit the address's brackets. */
import { once } from "node:events";
import http2 from "node:http2";
import { createClient } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
import { UserService } from "@rollcall/gen/user/v1/user";
import { GrpcJsClient } from "@rollcall/testing/grpc-js";
import { cells, createCellTransport, testCa, testCertificate } from "@rollcall/testing/matrix";
import { openSocket } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const LIST_USERS = "/user.v1.UserService/ListUsers";

describe.each([{ tls: false }, { tls: true }])("on ::1, with %j", ({ tls }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ host: "::1", ...(tls && { tls: testCertificate }) });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("the address that is printed is one", () => {
    expect(new URL(server.url).host).toBe(`[::1]:${server.port}`);
    expect(server.log.map(({ msg }) => msg)).toContain(`listening on ${server.url}`);
  });

  test.each(cells.filter((cell) => cell.tls === tls))(
    "connect-node gets there, by $protocol over $connection",
    async (cell) => {
      const users = createClient(UserService, await createCellTransport(server, cell));
      expect((await users.listUsers({})).users).toEqual([]);
    },
  );

  test("grpc-js gets there", async () => {
    const metadata = new Metadata();
    metadata.set("authorization", (await server.auth()).authorization);
    // Over TLS, the client would send the address as server name, which Node.js refuses: only names are allowed (RFC
    // 6066, 3).
    const options = { "grpc.ssl_target_name_override": "localhost", "grpc.default_authority": `[::1]:${server.port}` };
    using client = new GrpcJsClient(server.port, metadata, tls ? testCa : undefined, tls ? options : {}, "[::1]");
    expect((await client.unary(UserService.method.listUsers, {})).users).toEqual([]);
  });

  // The first is the form that node:http2 makes of the URL itself. The others are further ways to write it.
  test.each([undefined, "bare", "[::1]", "[0:0:0:0:0:0:0:1]"])("node:http2 gets there as %s", async (name) => {
    const session = http2.connect(server.url, { ca: testCa });
    const authority = name === "bare" ? `::1:${server.port}` : name;
    for (const contentType of ["application/grpc", "application/grpc-web", "application/proto"]) {
      const stream = session.request({
        ":method": "POST",
        ":path": LIST_USERS,
        ...(authority !== undefined && { ":authority": authority }),
        "content-type": contentType,
        te: "trailers",
        ...(await server.auth()),
      });
      if (contentType === "application/proto") stream.end();
      else stream.end(Buffer.alloc(5));
      stream.resume();
      const [headers] = await once(stream, "response");
      expect(headers[":status"], contentType).toBe(200);
      await once(stream, "close");
    }
    session.close();
  });

  test("its own pages may open a WebSocket, and others may not", async () => {
    const options = { rejectUnauthorized: false };
    const own = openSocket(server, { ...options, origin: server.url });
    expect(await own.outcome).toBe("open");
    own.ws.terminate();
    const other = openSocket(server, { ...options, origin: server.url.replace("::1", "::2") });
    expect(await other.outcome).toBe(403);
  });
});
