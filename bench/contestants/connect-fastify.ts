/** @connectrpc/connect-fastify as its documentation mounts it. */
import { createHash } from "node:crypto";
import { Code, ConnectError, type ConnectRouter, type Interceptor } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { createValidateInterceptor } from "@connectrpc/validate";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { fastify } from "fastify";
import { NEXT_PAGE_TOKEN, toMessage } from "./shared/messages.ts";
import { createSameWork, type EndedCall, type SameWork } from "./shared/same-work.ts";
import { readSettings, STREAM_MESSAGES } from "./shared/settings.ts";
import { openUsers } from "./shared/users.ts";

const settings = readSettings();
const users = openUsers(settings);

function routes(router: ConnectRouter): void {
  router.service(UserService, {
    getUser({ id }) {
      const user = users.get(id);
      if (!user) throw new ConnectError("user not found", Code.NotFound);
      return { user: toMessage(user) };
    },
    listUsers: ({ pageSize }) => ({ users: users.list(pageSize).map(toMessage), nextPageToken: NEXT_PAGE_TOKEN }),
    createUser: ({ email, name }) => ({ user: toMessage(users.create(email, name)) }),
  });
  router.service(StreamService, {
    async *serverStream({ query }) {
      for (let sequence = 0; sequence < STREAM_MESSAGES; sequence++) {
        yield { data: `Result ${sequence} for query: ${query}`, sequence };
      }
    },
    async clientStream(requests) {
      const hash = createHash("sha256");
      let totalBytes = 0;
      for await (const { chunk } of requests) {
        totalBytes += chunk.byteLength;
        hash.update(chunk);
      }
      return { totalBytes: BigInt(totalBytes), checksum: hash.digest("hex") };
    },
    async *bidirectionalStream(requests) {
      for await (const { message } of requests) yield { reply: `Echo: ${message}` };
    },
  });
}

/** Checks the token and logs the call; a stream's line is written at its end. */
function createWorkInterceptor(work: SameWork): Interceptor {
  return (next) => async (request) => {
    const call = { method: request.method.name, startedMs: performance.now() };
    let principal: string | undefined;
    const log = (code: EndedCall["code"]) => work.log({ ...call, code, principal });
    try {
      principal = await work.authorize(request.header.get("authorization") ?? undefined, request.method.name);
      const response = await next(request);
      if (!response.stream) {
        log("ok");
        return response;
      }
      return { ...response, message: loggedAtEnd(response.message, log) };
    } catch (error) {
      log("unknown");
      throw error;
    }
  };
}

async function* loggedAtEnd<T>(messages: AsyncIterable<T>, log: (code: EndedCall["code"]) => void): AsyncIterable<T> {
  let code: EndedCall["code"] = "unknown";
  try {
    yield* messages;
    code = "ok";
  } finally {
    log(code);
  }
}

const interceptors = settings.sameWork
  ? [createWorkInterceptor(createSameWork(settings)), createValidateInterceptor()]
  : [];
const { tls } = settings;
const options = { routes, interceptors };
if (tls) {
  const app = fastify({ http2: true, https: tls });
  await app.register(fastifyConnectPlugin, options);
  await app.listen({ host: "127.0.0.1", port: settings.port });
} else if (settings.httpVersion === "2") {
  const app = fastify({ http2: true });
  await app.register(fastifyConnectPlugin, options);
  await app.listen({ host: "127.0.0.1", port: settings.port });
} else {
  const app = fastify();
  await app.register(fastifyConnectPlugin, options);
  await app.listen({ host: "127.0.0.1", port: settings.port });
}
