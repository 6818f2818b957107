/** nice-grpc: promises and async iterables over grpc-js. */
import { createHash } from "node:crypto";
import { type ServiceDefinition as GrpcJsDefinition, ServerCredentials } from "@grpc/grpc-js";
import {
  type CallContext,
  createServer,
  type ServerMiddlewareCall,
  type ServiceDefinition,
  type ServiceImplementation,
} from "nice-grpc";
import { checkRules } from "./shared/check-rules.ts";
import { streamService, toPlainList, toPlainUser, userService } from "./shared/proto-loader.ts";
import { createSameWork, type EndedCall } from "./shared/same-work.ts";
import { readSettings, STREAM_MESSAGES } from "./shared/settings.ts";
import { openUsers } from "./shared/users.ts";

const settings = readSettings();
const users = openUsers(settings);
const work = settings.sameWork ? createSameWork(settings) : undefined;

const userHandlers = {
  async getUser({ id }: { id: string }) {
    const user = users.get(id);
    if (!user) throw new Error("user not found");
    return { user: toPlainUser(user) };
  },
  async listUsers({ pageSize }: { pageSize: number }) {
    return toPlainList(users.list(pageSize));
  },
  async createUser({ email, name }: { email: string; name: string }) {
    return { user: toPlainUser(users.create(email, name)) };
  },
};

const streamHandlers = {
  async *serverStream({ query }: { query: string }) {
    for (let sequence = 0; sequence < STREAM_MESSAGES; sequence++) {
      yield { data: `Result ${sequence} for query: ${query}`, sequence };
    }
  },
  async clientStream(requests: AsyncIterable<{ chunk: Buffer }>) {
    const hash = createHash("sha256");
    let totalBytes = 0;
    for await (const { chunk } of requests) {
      totalBytes += chunk.byteLength;
      hash.update(chunk);
    }
    return { totalBytes, checksum: hash.digest("hex") };
  },
  async *bidirectionalStream(requests: AsyncIterable<{ message: string }>) {
    for await (const { message } of requests) {
      if (work) checkRules("BidirectionalStream", { message });
      yield { reply: `Echo: ${message}` };
    }
  },
};

/** Makes a definition of the methods that have a handler. nice-grpc's own definition copies each message. */
function definitionFor(handlers: object, service: GrpcJsDefinition): ServiceDefinition {
  const definition: ServiceDefinition = {};
  for (const name of Object.keys(handlers)) {
    const method = Object.values(service).find(({ originalName }) => originalName === name);
    if (!method) throw new Error(`there is no method ${name}`);
    definition[name] = {
      ...method,
      requestDeserialize: (bytes) => method.requestDeserialize(bytes as Buffer),
      responseDeserialize: (bytes) => method.responseDeserialize(bytes as Buffer),
      options: {},
    };
  }
  return definition;
}

async function* guard<Request, Response>(call: ServerMiddlewareCall<Request, Response>, context: CallContext) {
  if (!work) return yield* call.next(call.request as Request, context);
  const method = call.method.path.slice(call.method.path.lastIndexOf("/") + 1);
  const startedMs = performance.now();
  let principal: string | undefined;
  let code: EndedCall["code"] = "unknown";
  try {
    principal = await work.authorize(context.metadata.get("authorization"), method);
    if (!call.requestStream) checkRules(method, call.request as object);
    const result = yield* call.next(call.request as Request, context);
    code = "ok";
    return result;
  } finally {
    work.log({ method, code, startedMs, principal });
  }
}

const plain = createServer();
const server = work ? plain.use(guard) : plain;
for (const [service, handlers] of [
  [userService, userHandlers],
  [streamService, streamHandlers],
] as const) {
  // proto-loader's definitions have no types for their messages.
  server.add(definitionFor(handlers, service), handlers as unknown as ServiceImplementation<ServiceDefinition>);
}
const { tls } = settings;
const credentials = tls
  ? ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }])
  : ServerCredentials.createInsecure();
await server.listen(`127.0.0.1:${settings.port}`, credentials);
