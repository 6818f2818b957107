/** @grpc/grpc-js with @grpc/proto-loader, which most Node.js services with gRPC use. */
import { createHash } from "node:crypto";
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  status,
} from "@grpc/grpc-js";
import { checkRules } from "./shared/check-rules.ts";
import { streamService, toPlainList, toPlainUser, userService } from "./shared/proto-loader.ts";
import { createSameWork } from "./shared/same-work.ts";
import { readSettings, STREAM_MESSAGES } from "./shared/settings.ts";
import { openUsers } from "./shared/users.ts";

const settings = readSettings();
const users = openUsers(settings);
const work = settings.sameWork ? createSameWork(settings) : undefined;

/** Runs a call's work around its handler, if the same work is on. */
async function guarded<T>(method: string, metadata: Metadata, request: object, run: () => T | Promise<T>): Promise<T> {
  if (!work) return run();
  const authorization = metadata.get("authorization")[0]?.toString();
  return work.around(method, authorization, () => checkRules(method, request), run);
}

function unary<Request extends object>(
  method: string,
  run: (request: Request) => object,
): handleUnaryCall<Request, object> {
  const fail = (error: Error) => ({ code: status.UNKNOWN, message: error.message });
  return (call, callback) => {
    if (!work) return callback(null, run(call.request));
    guarded(method, call.metadata, call.request, () => run(call.request)).then(
      (reply) => callback(null, reply),
      (error) => callback(fail(error)),
    );
  };
}

const serverStream: handleServerStreamingCall<{ query: string }, object> = (call) => {
  const { query } = call.request;
  const stream = () =>
    new Promise<void>((resolve) => {
      let sequence = 0;
      const send = () => {
        while (sequence < STREAM_MESSAGES) {
          const message = { data: `Result ${sequence} for query: ${query}`, sequence };
          sequence += 1;
          if (!call.write(message)) return call.once("drain", send);
        }
        call.end();
        resolve();
      };
      send();
    });
  guarded("ServerStream", call.metadata, call.request, stream).catch((error) => call.destroy(error));
};

const clientStream: handleClientStreamingCall<{ chunk: Buffer }, object> = (call, callback) => {
  const upload = () =>
    new Promise<object>((resolve) => {
      const hash = createHash("sha256");
      let totalBytes = 0;
      call.on("data", ({ chunk }: { chunk: Buffer }) => {
        totalBytes += chunk.byteLength;
        hash.update(chunk);
      });
      call.on("end", () => resolve({ totalBytes, checksum: hash.digest("hex") }));
    });
  guarded("ClientStream", call.metadata, {}, upload).then((receipt) => callback(null, receipt), callback);
};

const bidirectionalStream: handleBidiStreamingCall<{ message: string }, object> = (call) => {
  const chat = () =>
    new Promise<void>((resolve) => {
      call.on("data", ({ message }: { message: string }) => {
        if (work) checkRules("BidirectionalStream", { message });
        if (!call.write({ reply: `Echo: ${message}` })) {
          call.pause();
          call.once("drain", () => call.resume());
        }
      });
      call.on("end", () => {
        call.end();
        resolve();
      });
    });
  guarded("BidirectionalStream", call.metadata, {}, chat).catch((error) => call.destroy(error));
};

const server = new Server();
server.addService(userService, {
  getUser: unary("GetUser", ({ id }: { id: string }) => {
    const user = users.get(id);
    if (!user) throw new Error("user not found");
    return { user: toPlainUser(user) };
  }),
  listUsers: unary("ListUsers", ({ pageSize }: { pageSize: number }) => toPlainList(users.list(pageSize))),
  createUser: unary("CreateUser", ({ email, name }: { email: string; name: string }) => ({
    user: toPlainUser(users.create(email, name)),
  })),
});
server.addService(streamService, { serverStream, clientStream, bidirectionalStream });

const { tls } = settings;
const credentials = tls
  ? ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }])
  : ServerCredentials.createInsecure();
server.bindAsync(`127.0.0.1:${settings.port}`, credentials, (error) => {
  if (error) throw error;
});
