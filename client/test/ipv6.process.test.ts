/**
 * IPv6 addresses such as `http://[::1]:8080`: the name that the client sends for the server, and whether it connects.
 */
import { once } from "node:events";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserService } from "@rollcall/gen/user/v1/user";
import { testCa, testCertificate } from "@rollcall/testing/matrix";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { createRollcall, type NodeRollcallOptions } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

type Wire = Pick<NodeRollcallOptions, "protocol" | "httpVersion">;

const wires: readonly Wire[] = [
  { protocol: "grpc" },
  { protocol: "grpc-web" },
  { protocol: "connect" },
  { protocol: "grpc-web", httpVersion: "1.1" },
  { protocol: "connect", httpVersion: "1.1" },
];

/** Starts a server that records the host named by each request, and refuses the request. */
async function startNotingServer(httpVersion: "1.1" | "2", isTls: boolean) {
  const names: (string | undefined)[] = [];
  const listener: http.RequestListener = (request, response) => {
    names.push(String(request.headers[":authority"] ?? request.headers.host));
    response.writeHead(400).end();
  };
  const server =
    httpVersion === "2"
      ? isTls
        ? http2.createSecureServer(testCertificate, listener as never)
        : http2.createServer(listener as never)
      : isTls
        ? https.createServer(testCertificate, listener)
        : http.createServer(listener);
  server.listen(0, "::1");
  await once(server, "listening");
  const host = `[::1]:${(server.address() as AddressInfo).port}`;
  return {
    host,
    address: `${isTls ? "https" : "http"}://${host}`,
    names,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

test.each(wires.flatMap((wire) => [false, true].map((isTls) => ({ ...wire, isTls }))))(
  "the server is called as its URL has it, in brackets, by %j",
  async ({ isTls, ...wire }) => {
    await using server = await startNotingServer(wire.httpVersion ?? "2", isTls);
    {
      await using client = createRollcall({
        baseUrl: server.address,
        tls: isTls ? { ca: testCa } : {},
        retry: false,
        ...wire,
      });
      await expect(client.users.list()).rejects.toThrow("400");
    }
    expect(server.names).toEqual([server.host]);
  },
);

test.each([false, true])("users list works by every protocol, with TLS: %j", async (isTls) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-ipv6-"));
  const ca = join(folder.path, "ca.pem");
  await writeFile(ca, testCa);
  await using server = await startServer({ host: "::1", ...(isTls && { tls: testCertificate }) });
  expect(server.url).toContain("://[::1]:");
  for (const protocol of ["grpc", "grpc-web", "connect"]) {
    const args = ["users", "list", "--address", server.url, "--protocol", protocol, ...(isTls ? ["--ca", ca] : [])];
    const list = await rollcall(args, { env: { ROLLCALL_TOKEN: await server.token() } });
    expect(list, protocol).toEqual({ code: 0, stdout: "", stderr: "" });
  }
});

test("a call's own Host is the only name that it sends", async () => {
  await using server = await startNotingServer("2", false);
  {
    await using client = createRollcall({ baseUrl: server.address, retry: false });
    const call = client.service(UserService).listUsers({}, { headers: { host: "rollcall.example.com" } });
    await expect(call).rejects.toThrow("400");
  }
  expect(server.names).toEqual(["rollcall.example.com"]);
});
