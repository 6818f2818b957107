/**
 * Runs the proxy configurations of the documentation, if the proxies' programs are installed, in PATH or by
 * `ENVOY_PATH`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { BlockList } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { freePort } from "@rollcall/testing/free-port";
import { authenticate, testCa, testCertificate } from "@rollcall/testing/matrix";
import { CHAT, HALF_CLOSE, say } from "@rollcall/testing/raw/web-socket";
import { root } from "@rollcall/testing/root";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";

interface Proxy {
  readonly name: string;
  readonly program: string;
  /** Writes the configuration into the folder, and returns the program's arguments. */
  configure(folder: string, ports: { readonly own: number; readonly server: number }): readonly string[];
}

/** Replaces each given text of a configuration by another. Throws for a text that is not there. */
function replaceAll(text: string, replacements: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [from, to] of Object.entries(replacements)) {
    expect(result).toContain(from);
    result = result.replaceAll(from, to);
  }
  return result;
}

const proxies: readonly Proxy[] = [
  {
    name: "Envoy",
    program: process.env.ENVOY_PATH ?? "envoy",
    configure(folder, { own, server }) {
      const config = replaceAll(readFileSync(join(root, "deploy/envoy/envoy.yaml"), "utf8"), {
        "port_value: 8443": `port_value: ${own}`,
        "port_value: 8080": `port_value: ${server}`,
        "0.0.0.0": "127.0.0.1",
        "/etc/envoy/tls/": `${folder}/`,
      });
      writeFileSync(join(folder, "envoy.yaml"), config);
      return ["-c", join(folder, "envoy.yaml"), "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error"];
    },
  },
  {
    name: "nginx",
    program: process.env.NGINX_PATH ?? "nginx",
    configure(folder, { own, server }) {
      const [, shown = ""] = /```nginx\n(.*?)```/s.exec(readFileSync(join(root, "docs/proxies.md"), "utf8")) ?? [];
      const http = replaceAll(shown, {
        "listen 443": `listen 127.0.0.1:${own}`,
        "127.0.0.1:8080": `127.0.0.1:${server}`,
        "rollcall.example.com": "localhost",
        "ssl_certificate     …": `ssl_certificate ${folder}/tls.crt`,
        "ssl_certificate_key …": `ssl_certificate_key ${folder}/tls.key`,
      });
      mkdirSync(join(folder, "temp"));
      const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => {
        return `${kind}_temp_path ${folder}/temp/${kind};`;
      });
      writeFileSync(
        join(folder, "nginx.conf"),
        `daemon off; pid ${folder}/nginx.pid; error_log stderr error; events {}
         http { access_log off; ${temp.join(" ")}\n${http} }`,
      );
      return ["-p", folder, "-c", join(folder, "nginx.conf")];
    },
  },
];

const isInstalled = ({ program }: Proxy) => spawnSync(program, ["--version"]).error === undefined;

describe.each(proxies)("behind $name", (proxy) => {
  test("every protocol is served, streams both ways at once, and the caller is known", async (context) => {
    if (!isInstalled(proxy)) return context.skip(`${proxy.program} is not installed`);
    const trustedProxies = new BlockList();
    trustedProxies.addAddress("127.0.0.1");
    await using server = await startServer({ limits: { trustedProxies } });
    const token = await server.token();
    const own = await freePort();
    await using _ = await startProxy(proxy, { own, server: server.port });
    const baseUrl = `https://localhost:${own}`;
    const common = { baseUrl, nodeOptions: { ca: testCa }, interceptors: [authenticate(token)] };

    const sessionManager = new Http2SessionManager(baseUrl, {}, { ca: testCa });
    const grpc = createGrpcTransport({ ...common, sessionManager });
    const users = createClient(UserService, grpc);
    const { user } = await users.createUser({ email: "ada@example.com", name: "Ada" });
    expect(user?.email).toBe("ada@example.com");
    // Each message is answered before the next one is sent.
    const replies: string[] = [];
    async function* messages() {
      for (const [index, message] of ["one", "two"].entries()) {
        await until(() => replies.length === index);
        yield { message };
      }
    }
    for await (const { reply } of createClient(StreamService, grpc).bidirectionalStream(messages()))
      replies.push(reply);
    expect(replies).toHaveLength(2);
    sessionManager.abort();

    const connect = createConnectTransport({ ...common, httpVersion: "1.1" });
    expect((await createClient(UserService, connect).listUsers({})).users).toHaveLength(1);

    const ws = new WebSocket(`wss://localhost:${own}${CHAT}`, "grpc-websockets", { ca: testCa, origin: baseUrl });
    await once(ws, "open");
    const received: Buffer[] = [];
    ws.on("message", (data: Buffer) => received.push(data));
    ws.send(Buffer.from(`content-type: application/grpc-web+proto\r\nauthorization: Bearer ${token}\r\n`));
    ws.send(say("hello"));
    ws.send(HALF_CLOSE);
    await once(ws, "close");
    expect(Buffer.concat(received).toString("latin1")).toContain("grpc-status: 0");

    // The server does not trust a header in which a caller names its own address.
    const headers = { "x-forwarded-for": "192.0.2.1", "content-type": "application/json" };
    const path = "/user.v1.UserService/ListUsers";
    const localAddress = "127.0.0.2";
    const request = https.request(`https://127.0.0.1:${own}${path}`, {
      ...{ method: "POST", ca: testCa, servername: "localhost", localAddress, headers },
    });
    request.end("{}");
    const [response] = await once(request, "response");
    response.resume();
    const refused = await until(() => server.log.find(({ code }) => code === "unauthenticated"));
    expect(refused.peer).toContain(localAddress);
  });
});

async function startProxy(proxy: Proxy, ports: { own: number; server: number }): Promise<AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
  writeFileSync(join(folder, "tls.crt"), testCertificate.cert);
  writeFileSync(join(folder, "tls.key"), testCertificate.key);
  const child: ChildProcess = spawn(proxy.program, proxy.configure(folder, ports), {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (output += text));
  const exited = once(child, "exit");
  let isOver = false;
  exited.then(() => {
    isOver = true;
  });
  // Envoy answers by itself until it has seen that the server is healthy.
  while (!(await isReady(ports.own))) if (isOver) throw new Error(`${proxy.name} did not start: ${output}`);
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get({ port, host: "127.0.0.1", servername: "localhost", ca: testCa, path: "/readyz" });
    request.on("response", (response) => resolve(response.resume().statusCode === 200));
    request.on("error", () => setTimeout(resolve, 20, false));
  });
}
