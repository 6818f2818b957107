import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { Metadata } from "@grpc/grpc-js";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { GrpcJsClient } from "@rollcall/testing/grpc-js";
import { startProcess } from "@rollcall/testing/start-process";
import { until } from "@rollcall/testing/start-server";

const LIST = "/user.v1.UserService/ListUsers";
/** Type of an HTTP/2 frame: RFC 9113, section 6.2. */
const HEADERS_FRAME = 1;
/** Channel on which Node.js announces each request of its HTTP/2 client. */
const CLIENT_STREAMS = "http2.client.stream.created";
/** Answer that a busy machine can cause at any time, independently of the stop. */
const OVERLOADED = "server is overloaded";
/** Concurrent calls on one HTTP/2 connection; the server allows 256. */
const STREAMS_PER_CONNECTION = 250;

export interface DrainResult {
  /** Number of answered calls, before and after the stop. */
  answered: number;
  answeredAfterSignal: number;
  /** Errors of calls that had a connection, by client. */
  failures: string[];
  /**
   * Calls on connections that were reset. The kernel resets a connection that it accepts between a listener's last look
   * and its close, and Node.js never hears of it.
   */
  resets: string[];
  /** Number of open streams that ended well after the stop had begun. */
  streamsFinished: number;
  exitCode: number | null;
}

/**
 * Stops a server process under full load. Clients of every kind call it as fast as they can, some on a new connection
 * each time, and streams are open. A client whose connection is refused would go to another server; here it just stops.
 * Any other end of a call is a failure.
 */
export async function drainUnderLoad({ tls = false, openStreams = 0 }): Promise<DrainResult> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
  const authority = tls ? await createCertificateAuthority("Test CA") : undefined;
  const env: Record<string, string> = { SHUTDOWN_GRACE_MS: "60000", LOG_LEVEL: "warn" };
  if (authority) {
    const { cert, key } = await authority.issue({ commonName: "Server", hosts: ["localhost"] });
    env.TLS_CERT_FILE = join(folder, "cert.pem");
    env.TLS_KEY_FILE = join(folder, "key.pem");
    writeFileSync(env.TLS_CERT_FILE, cert);
    writeFileSync(env.TLS_KEY_FILE, key);
  }
  await using server = await startProcess({ env, folder });
  const { url, headers } = server;
  const ca = authority?.cert;
  const result: DrainResult = {
    answered: 0,
    answeredAfterSignal: 0,
    failures: [],
    resets: [],
    streamsFinished: 0,
    exitCode: null,
  };
  let hasSignal = false;
  let hasRefused = 0;

  // Node.js writes requests at the end of a turn. Those that it has not written when it reads GOAWAY never leave: it
  // refuses them itself, and no server can prevent that. They are known by this event, and are made once more.
  let unsent = 0;
  const watchStream = (message: unknown) => {
    (message as { stream: http2.ClientHttp2Stream }).stream.on("frameError", (type) => {
      if (type === HEADERS_FRAME) unsent += 1;
    });
  };
  subscribe(CLIENT_STREAMS, watchStream);

  /** Makes calls without a pause until the connection is refused or a call fails. */
  const loop = async (name: string, call: () => Promise<unknown>) => {
    for (;;) {
      try {
        await call();
        result.answered += 1;
        if (hasSignal) result.answeredAfterSignal += 1;
      } catch (error) {
        if (hasCode(error, OVERLOADED)) continue;
        if (hasSignal && hasCode(error, "ECONNREFUSED")) break;
        if (unsent > 0 && isRefusedStream(error)) {
          unsent -= 1;
          continue;
        }
        const failures = hasSignal && hasCode(error, "ECONNRESET") ? result.resets : result.failures;
        failures.push(`${name}: ${describe(error)}`);
        break;
      }
    }
    hasRefused += 1;
  };

  const nodeOptions = { ca };
  const loops: Promise<void>[] = [];
  const clients: Disposable[] = [];
  for (let i = 0; i < 4; i++) {
    const grpcJs = new GrpcJsClient(Number(new URL(url).port), Metadata.fromHttp2Headers(headers), ca, {
      "grpc.enable_retries": 0,
      "grpc.use_local_subchannel_pool": 1,
    });
    clients.push(grpcJs);
    for (let k = 0; k < 4; k++) loops.push(loop("grpc-js", () => grpcJs.unary(UserService.method.listUsers, {})));
  }
  const transports = [
    createGrpcTransport({ baseUrl: url, nodeOptions }),
    createConnectTransport({ baseUrl: url, httpVersion: "2", nodeOptions }),
  ];
  for (const [i, transport] of transports.entries()) {
    const users = createClient(UserService, transport);
    for (let k = 0; k < 4; k++) loops.push(loop(`connect-node ${i}`, () => users.listUsers({}, { headers })));
  }
  const agent = new (tls ? https : http).Agent({ keepAlive: true, ...nodeOptions });
  for (let k = 0; k < 4; k++) {
    loops.push(loop("HTTP/1.1, kept", () => post(`${url}${LIST}`, headers, agent)));
    loops.push(
      loop("HTTP/1.1, new", () => post(`${url}${LIST}`, headers, new (tls ? https : http).Agent(nodeOptions))),
    );
  }
  for (let k = 0; k < 2; k++) loops.push(loop("HTTP/2, new", () => callOnNewSession(url, headers, ca)));

  // These conversations wait. Their clients end them after the stop has begun.
  const mayEnd = Promise.withResolvers<void>();
  const streams: Promise<unknown>[] = [];
  let open = 0;
  for (let first = 0; first < openStreams; first += STREAMS_PER_CONNECTION) {
    const chats = createClient(StreamService, createGrpcTransport({ baseUrl: url, nodeOptions }));
    for (let i = first; i < Math.min(first + STREAMS_PER_CONNECTION, openStreams); i++) {
      const requests = async function* () {
        yield { message: "hello" };
        await mayEnd.promise;
        yield { message: "goodbye" };
      };
      const chat = async (): Promise<void> => {
        let replies = 0;
        try {
          for await (const _ of chats.bidirectionalStream(requests(), { headers })) if (++replies === 1) open += 1;
        } catch (error) {
          if (replies === 0 && hasCode(error, OVERLOADED)) return chat();
          throw error;
        }
        if (replies === 2) result.streamsFinished += 1;
      };
      streams.push(chat().catch((error) => result.failures.push(`stream: ${describe(error)}`)));
    }
  }
  await until(() => result.failures.length > 0 || (open === openStreams && result.answered > 200));
  hasSignal = true;
  server.process.kill("SIGTERM");
  await until(() => hasRefused === loops.length);
  mayEnd.resolve();
  await Promise.all([...loops, ...streams]);
  result.exitCode = await server.exited;
  unsubscribe(CLIENT_STREAMS, watchStream);
  for (const client of clients) client[Symbol.dispose]();
  agent.destroy();
  rmSync(folder, { recursive: true });
  return result;
}

function post(url: string, headers: Record<string, string>, agent: http.Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const { request } = url.startsWith("https") ? https : http;
    const outgoing = request(url, {
      method: "POST",
      agent,
      headers: { ...headers, "content-type": "application/json", "content-length": "2" },
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`status ${response.statusCode}: ${body}`));
      }, reject);
    });
    outgoing.end("{}");
  });
}

async function callOnNewSession(url: string, headers: Record<string, string>, ca: string | undefined): Promise<void> {
  const session = http2.connect(url, { ca });
  const failed = new Promise<never>((_resolve, reject) => session.once("error", reject));
  failed.catch(() => {});
  const stream = session.request({
    ":method": "POST",
    ":path": LIST,
    "content-type": "application/json",
    ...headers,
  });
  stream.on("error", () => {});
  stream.end("{}");
  const body = text(stream).catch(() => "");
  const [response] = (await Promise.race([
    once(stream, "response"),
    once(stream, "close").then(() => Promise.race([failed, [{ ":status": `none, reset ${stream.rstCode}` }]])),
    failed,
  ])) as [http2.IncomingHttpHeaders];
  if (Number(response[":status"]) !== 200) throw new Error(`status ${response[":status"]}: ${await body}`);
  if (!stream.closed) await once(stream, "close");
  session.close();
}

/** Whether the error says REFUSED_STREAM, in the words of one of the clients. */
function isRefusedStream(error: unknown): boolean {
  return ["REFUSED_STREAM", "Stream refused by server", "none, reset 7"].some((words) => hasCode(error, words));
}

function hasCode(error: unknown, code: string): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && cause.code === code) return true;
    if (cause instanceof AggregateError && cause.errors.every((each) => hasCode(each, code))) return true;
    if (cause.message.includes(code)) return true;
  }
  return false;
}

function describe(error: unknown): string {
  const { code, rawMessage, cause } = ConnectError.from(error);
  return `${Code[code]} ${rawMessage} ${(error as NodeJS.ErrnoException).code ?? ""} ${cause ?? ""}`.slice(0, 300);
}
