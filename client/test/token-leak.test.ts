import { inspect } from "node:util";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { errorOf } from "@rollcall/testing/matrix";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { createAuthInterceptor, createFetchTransport, createLoggingInterceptor, type GetToken } from "../src/index.ts";
import { createRollcall as createNodeClient, createNodeTransport } from "../src/node/index.ts";

const TOKEN = "eyJhbGciOiJIUzI1NiJ9.secret.signature";

type TransportOptions = Pick<Parameters<typeof createNodeTransport>[0], "interceptors">;

const transports: Record<string, (server: TestServer, options: TransportOptions) => Transport> = {
  gRPC: ({ url }, options) => createNodeTransport({ baseUrl: url, ...options }),
  "gRPC-Web": ({ url }, options) => createNodeTransport({ baseUrl: url, protocol: "grpc-web", ...options }),
  Connect: ({ url }, options) => createNodeTransport({ baseUrl: url, protocol: "connect", ...options }),
  "Connect over HTTP/1.1": ({ url }, options) =>
    createNodeTransport({ baseUrl: url, protocol: "connect", httpVersion: "1.1", ...options }),
  fetch: ({ url }, { interceptors = [] }) => createFetchTransport({ baseUrl: url, interceptors: [...interceptors] }),
  WebSocket: ({ url }, { interceptors = [] }) =>
    createFetchTransport({ baseUrl: url, interceptors: [...interceptors] }),
};

/** Makes a call: an upload over WebSocket, or a list of users otherwise. */
function call(transport: Transport, kind: string, headers: Record<string, string> = {}): Promise<unknown> {
  const nothing = (async function* () {})();
  return kind === "WebSocket"
    ? createClient(StreamService, transport).clientStream(nothing, { headers })
    : createClient(UserService, transport).listUsers({}, { headers });
}

test("the errors of headers quote their values, which is why no bad token gets there (the control)", () => {
  expect(() => new Headers({ authorization: `Bearer ${TOKEN}\nx` })).toThrow(TOKEN);
});

describe.each(Object.entries(transports))("over %s", (kind, createTransport) => {
  test("a token with other characters than a token's is in no error and no log line", async () => {
    await using server = await startServer();
    const lines: unknown[] = [];
    const note = (fields: object) => lines.push(fields);
    const texts = [
      `${TOKEN}\nx`,
      `${TOKEN} x`,
      `${TOKEN}\0`,
      `${TOKEN}\u0001`,
      `"${TOKEN}"`,
      `Bearer ${TOKEN}`,
      `${TOKEN}€`,
    ];
    const tokens = texts.flatMap((text): (string | GetToken)[] => [text, () => text, async () => text]);
    for (const token of tokens) {
      const logging = createLoggingInterceptor({ logger: { info: note, warn: note } });
      const transport = createTransport(server, { interceptors: [logging, createAuthInterceptor({ token })] });
      const error = await errorOf(call(transport, kind));
      expect(error).toMatchObject({
        code: Code.Unauthenticated,
        rawMessage: expect.stringContaining("the token has characters"),
      });
      expect(inspect(error, { depth: 9 })).not.toContain("secret");
    }
    expect(lines).toHaveLength(tokens.length);
    expect(JSON.stringify(lines)).not.toContain("secret");

    // None of these tokens has reached the server. One from a file does, with the file's final line break.
    const token = `${await server.token()}\n`;
    const transport = createTransport(server, { interceptors: [createAuthInterceptor({ token: async () => token })] });
    await call(transport, kind);
    await until(() => server.log.find(({ msg }) => msg === "call"));
    expect(server.log.filter(({ msg }) => msg === "call")).toMatchObject([{ code: "ok" }]);
  });

  test("a call's own header that can't be sent is refused by its name, at once and without its value", async () => {
    await using server = await startServer();
    const transport = createTransport(server, {});
    for (const value of [`${TOKEN}\nx`, `${TOKEN}\u0001`, `${TOKEN}€`]) {
      const error = await errorOf(call(transport, kind, { "x-request-id": value }));
      expect(error).toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: "header x-request-id has characters that can't be sent, such as a line break",
      });
      expect(inspect(error, { depth: 9 })).not.toContain("secret");
    }
    const misplaced = await errorOf(call(transport, kind, { [`${TOKEN}\n`]: "x" }));
    expect(misplaced.code).toBe(Code.InvalidArgument);
    expect(inspect(misplaced, { depth: 9 })).not.toContain("secret");
    // Values may have white space around them, like those of fetch's own headers. They may also have bytes beyond
    // ASCII, except in a block of headers over WebSocket.
    const name = kind === "WebSocket" ? "Bjork" : "Bj\u00f6rk";
    const authorization = `Bearer ${await server.token()}\n`;
    const headers = { authorization, "x-name": name, "x-empty": "" };
    await call(transport, kind, headers);
  });
});

test("an empty token counts as no token", async () => {
  await using server = await startServer();
  await using client = createNodeClient({ baseUrl: server.url, token: "" });
  await expect(client.users.list()).rejects.toThrow("missing authorization token");
});
