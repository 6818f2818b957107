/**
 * Requests whose texts are made to break a parser, an object, a clock, the log or the gate, sent as fast as they are
 * refused.
 */
import { createHmac, randomBytes } from "node:crypto";
import { exchangeToEnd } from "@rollcall/testing/raw/http";
import type { AttackResult } from "./http2-attacks.ts";
import type { MeasuredServer } from "./measured-server.ts";

/** Number of concurrent requests. */
const AT_ONCE = 8;
const USERS = "/user.v1.UserService";
const UPLOAD = "/stream.v1.StreamService/ClientStream";

export interface TextAttack {
  /**
   * Returns HTTP/1.1 requests, with each byte as a latin1 character. They are sent one after the other, again and
   * again.
   */
  requestsFor(server: MeasuredServer): readonly string[] | Promise<readonly string[]>;
  /** Returns the control: a similar request without the refused part. */
  allowedFor(server: MeasuredServer): string;
  /** Start of every answer, or a part of it. */
  readonly refusal: RegExp;
  /** Text that no answer may contain. */
  readonly secret?: RegExp;
}

/**
 * Sends the requests of an attack for a while.
 *
 * @throws Error if one is not refused, or if the control is.
 */
export async function sendTexts(
  server: MeasuredServer,
  durationMs: number,
  { requestsFor, allowedFor, refusal, secret = /x-evil|internal server error/i }: TextAttack,
): Promise<AttackResult> {
  const requests = await requestsFor(server);
  const control = await exchangeToEnd(server.port, allowedFor(server));
  if (control === "" || refusal.test(control)) throw new Error(`the control is refused: ${control.slice(0, 500)}`);
  const startedAtMs = performance.now();
  let sent = 0;
  const loop = async () => {
    while (sent < requests.length || performance.now() - startedAtMs < durationMs) {
      const request = requests[sent++ % requests.length] ?? "";
      const answer = await exchangeToEnd(server.port, request);
      if (refusal.test(answer) && !secret.test(answer)) continue;
      throw new Error(`not refused: ${JSON.stringify([request.slice(0, 200), answer.slice(0, 500)])}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, loop));
  return { cut: 0, requests: sent, firstCutMs: undefined, refused: sent };
}

const get = (path: string, lines = "", host = "localhost") =>
  `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n${lines}\r\n`;

function post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const all = { "content-type": "application/json", ...headers, "content-length": String(body.length) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${lines.join("")}\r\n${body}`;
}

/** Returns tokens that the server never signed, with different keys, algorithms and shapes. */
function forgedTokens(count: number): string[] {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const shapes: ((claims: object) => string)[] = [
    (claims) => `${part({ alg: "none" })}.${part(claims)}.`,
    (claims) => sign(part({ alg: "HS256" }), part(claims)),
    (claims) => sign(part({ alg: "HS256", kid: "../../dev/null" }), part(claims)),
    (claims) => sign(part({ alg: "HS512" }), part(claims)),
    (claims) => sign(part({ alg: "RS256", jwk: { kty: "oct", k: "" } }), part(claims)),
    (claims) => sign(part({ alg: "HS256", crit: ["exp"] }), part(claims)),
    (claims) => `${part({ alg: "HS256" })}.${part(claims)}`,
    (claims) => `${part({ alg: "HS256" })}..${part(claims)}`,
    (claims) => `${part(claims)}.${part(claims)}.${part(claims)}.${part(claims)}`,
    () => randomBytes(200).toString("base64url"),
    () => ".".repeat(1_000),
    (claims) => `${"e".repeat(8_000)}.${part(claims)}.x`,
  ];
  return Array.from({ length: count }, (_, index) => {
    const claims = { sub: `eve-${index}`, scope: "users:read", exp: 4_000_000_000 };
    return shapes[index % shapes.length]?.(claims) ?? "";
  });
}

function sign(header: string, claims: string): string {
  const signature = createHmac("sha256", "a secret of somebody else").update(`${header}.${claims}`);
  return `${header}.${claims}.${signature.digest("base64url")}`;
}

const list = (headers: Readonly<Record<string, string>>) => post(`${USERS}/ListUsers`, "{}", headers);
const create = (server: MeasuredServer, body: string, headers: Readonly<Record<string, string>> = {}) =>
  post(`${USERS}/CreateUser`, body, { ...server.headers, ...headers });

const upgrade = (origin: string) =>
  `GET ${UPLOAD} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\norigin: ${origin}\r\n` +
  "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
  "sec-websocket-protocol: grpc-websockets\r\n\r\n";

/** Attacks by their rows in docs/attacks.md. */
export const textAttacks: Readonly<Record<string, TextAttack>> = {
  "garbage on the plaintext port": {
    requestsFor: () => [
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
      "hello\r\n\r\n",
      "\0\0\0\0\0\0\0\0\r\n\r\n",
      "SSH-2.0-OpenSSH_9.9\r\n",
      "GET / HTTP/9.9\r\n\r\n",
    ],
    allowedFor: () => get("/healthz"),
    refusal: /^HTTP\/1\.1 (400|505) /,
  },
  "bad Host": {
    requestsFor: () => ["a b", "a/b", "a@b", "", "[::1", "a:b", "a:123456"].map((host) => get("/healthz", "", host)),
    allowedFor: () => get("/healthz", "", "localhost:8080"),
    refusal: /^HTTP\/1\.1 400 /,
  },
  "bad paths, bytes that are no URL": {
    requestsFor: () =>
      ["/%zz", "/%", "/%c0%af", `/${"a/".repeat(4_000)}`, "/%00", `${USERS}/%`].map((path) => get(path)),
    allowedFor: () => get("/healthz?x=%C3%A9"),
    refusal: /^HTTP\/1\.1 40[04] /,
  },
  "floods of headers": {
    requestsFor: () => [
      get("/healthz", `x-pad: ${"x".repeat(17_000)}\r\n`),
      get("/healthz", Array.from({ length: 1_500 }, (_, i) => `x-${i}: v\r\n`).join("")),
    ],
    allowedFor: () => get("/healthz", `x-pad: ${"x".repeat(10_000)}\r\n`),
    refusal: /^HTTP\/1\.1 431 /,
  },
  "line breaks in headers and paths": {
    requestsFor: () => [
      get("/nothing%0d%0ax-evil:%201"),
      get("/nothing", "x-request-id: a%0d%0ax-evil: 1\r\n").replace("x-evil", "x%2devil"),
      get("/nothing", "x-request-id: a\rb\r\n"),
      get("/nothing", "x-request-id: a\0b\r\n"),
      get("/nothing", "x-request-id: a\r\n b\r\n"),
    ],
    allowedFor: () => get("/healthz", "x-request-id: a-b\r\n"),
    refusal: /^HTTP\/1\.1 40[04] /,
    secret: /^x-evil/im,
  },
  "timeouts that are none": {
    requestsFor: ({ headers }) => [
      ...["1.5", "1e3", "99999999999", "0x10", "NaN"].map((ms) => list({ ...headers, "connect-timeout-ms": ms })),
      ...["1", "S", "-1S", "1.5S", "999999999S", "1x"].map((timeout) => {
        const web = { ...headers, "content-type": "application/grpc-web+proto", "grpc-timeout": timeout };
        return post(`${USERS}/ListUsers`, "\0\0\0\0\0", web);
      }),
    ],
    allowedFor: ({ headers }) => list({ ...headers, "connect-timeout-ms": "1500" }),
    refusal: /^HTTP\/1\.1 400 |grpc-status: ?3/,
  },
  "JSON that is nested 100,000 deep": {
    requestsFor: (server) =>
      ["[".repeat(100_000), '{"a":'.repeat(40_000), `{"name":${"[".repeat(50_000)}${"]".repeat(50_000)}}`].map((body) =>
        create(server, body),
      ),
    allowedFor: (server) => create(server, '{"email":"ada@example.com","name":"Ada"}'),
    refusal: /^HTTP\/1\.1 400 /,
  },
  "`__proto__`, `constructor`": {
    requestsFor: (server) => [
      create(server, '{"__proto__":{"email":"eve@example.com","name":"Eve","isAdmin":true}}'),
      create(server, '{"constructor":{"prototype":{"isAdmin":true}}}'),
    ],
    allowedFor: (server) => create(server, '{"email":"bob@example.com","name":"__proto__"}'),
    refusal: /^HTTP\/1\.1 400 /,
  },
  "what is not UTF-8": {
    requestsFor: (server) => [
      create(server, '{"email":"eve@example.com","name":"\xff\xfe"}'),
      create(server, "\x0a\x04a\xffb\xc0", { "content-type": "application/proto" }),
    ],
    allowedFor: (server) => create(server, '{"email":"zoe@example.com","name":"Zo\xc3\xab"}'),
    refusal: /^HTTP\/1\.1 400 /,
  },
  "broken protobuf, base64, compression, envelopes": {
    requestsFor: (server) => [
      create(server, "\xff\xff\xff\xff", { "content-type": "application/proto" }),
      create(server, "no gzip", { "content-encoding": "gzip" }),
      get(
        `${USERS}/GetUser?connect=v1&encoding=proto&base64=1&message=!!`,
        `authorization: ${server.headers.authorization}\r\n`,
      ),
      post(UPLOAD, "\0\0\0\0\x02\xff\xff", { ...server.headers, "content-type": "application/connect+proto" }),
    ],
    allowedFor: (server) =>
      get(
        `${USERS}/ListUsers?connect=v1&encoding=proto&base64=1&message=`,
        `authorization: ${server.headers.authorization}\r\n`,
      ),
    refusal: /^HTTP\/1\.1 400 |invalid_argument/,
  },
  "tokens: 60 that are forged, expired, or of another shape": {
    requestsFor: () => forgedTokens(60).map((token) => list({ authorization: `Bearer ${token}` })),
    allowedFor: ({ headers }) => list(headers),
    refusal: /^HTTP\/1\.1 401 .*"message":"invalid token"/s,
  },
  "methods without their scope: each method, scope and protocol, by ten spellings of its path": {
    async requestsFor(server) {
      const headers = await server.headersFor({ scopes: ["streams"] });
      const paths = [`${USERS}/ListUsers`, `${USERS}//ListUsers`, "/healthz/../user.v1.UserService/ListUsers"];
      return [...paths, `${USERS.toLowerCase()}/ListUsers`, "/user.v1.UserServic%65/ListUsers"].map((path) =>
        post(path, "{}", headers),
      );
    },
    allowedFor: ({ headers }) => list(headers),
    refusal: /^HTTP\/1\.1 40[0345] /,
  },
  "pages of other sites": {
    requestsFor: (server) =>
      ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"].map((contentType) =>
        create(server, '{"email":"csrf@example.com","name":"Eve"}', {
          "content-type": contentType,
          origin: "https://evil.example",
        }),
      ),
    allowedFor: (server) => create(server, '{"email":"own@example.com","name":"Own"}', { origin: "http://localhost" }),
    refusal: /^HTTP\/1\.1 415 /,
    secret: /access-control-allow-origin/i,
  },
  "WebSockets of other sites": {
    requestsFor: () => [upgrade("https://evil.example")],
    // The control comes from the server's own origin, the only one that may open a WebSocket. It asks for no upgrade,
    // so its answer is 426.
    allowedFor: () => upgrade("http://localhost").replace("connection: upgrade", "connection: close"),
    refusal: /^HTTP\/1\.1 403 /,
  },
  "files outside of the web app's folder": {
    requestsFor: () =>
      [
        "/../package.json",
        "/%2e%2e/package.json",
        "/assets/..%2f..%2fpackage.json",
        "/assets/..%5c..%5cpackage.json",
      ].map((path) => get(path)),
    allowedFor: () => get("/index.html"),
    refusal: /^HTTP\/1\.1 40[034] /,
    secret: /"private": true/,
  },
  "lines of a log that a caller makes up": {
    requestsFor: () => [
      get(`/a%0A${encodeURIComponent('{"level":"info","msg":"forged"}')}`, "user-agent: \x1b[31mred\r\n"),
      list({ authorization: 'Bearer a"}', "x-request-id": '"}{"msg":"forged"' }),
    ],
    allowedFor: ({ headers }) => list({ ...headers, "x-request-id": "own" }),
    refusal: /^HTTP\/1\.1 40[014] /,
  },
  "causes in answers": {
    requestsFor: ({ headers }) => [post("/probe.v1.ProbeService/Unary", '"fault"', headers)],
    allowedFor: ({ headers }) => list(headers),
    refusal: /^HTTP\/1\.1 500 .*"message":"internal server error"/s,
    secret: /a secret cause|\.ts:/,
  },
};
