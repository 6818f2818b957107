/** @grpc/grpc-js with @grpc/proto-loader, which most Node.js programs use to call gRPC. */
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { streamService, userService } from "../contestants/shared/proto-loader.ts";
import { CHAT_MESSAGES } from "../src/requests.ts";
import { measureClient } from "./measure.ts";

type Reply = { user: { name: string } };
type Unary = (request: object, metadata: Metadata, done: (error: ServiceError | null, reply: Reply) => void) => void;

await measureClient(({ url, token, userId }) => {
  const address = new URL(url).host;
  const open = (service: typeof userService) =>
    new (makeGenericClientConstructor(service, "client"))(address, credentials.createInsecure());
  const users = open(userService);
  const streams = open(streamService);
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const getUser = (users.getUser as Unary).bind(users);
  const get = () =>
    new Promise<Reply>((resolve, reject) => {
      getUser({ id: userId }, metadata, (error, reply) => (error ? reject(error) : resolve(reply)));
    });
  const serverStream = (streams.serverStream as (...args: unknown[]) => ClientReadableStream<object>).bind(streams);
  const chat = (streams.bidirectionalStream as (...args: unknown[]) => ClientDuplexStream<object, object>).bind(
    streams,
  );
  return {
    check: async () => (await get()).user.name,
    async getUser() {
      await get();
      return 1;
    },
    serverStream: () => count(serverStream({ query: "x" }, metadata)),
    bidirectionalStream() {
      const call = chat(metadata);
      let sent = 0;
      const send = () => {
        while (sent < CHAT_MESSAGES) {
          sent += 1;
          if (!call.write({ message: "ping" })) return call.once("drain", send);
        }
        return call.end();
      };
      send();
      return count(call);
    },
  };
});

function count(call: ClientReadableStream<object>): Promise<number> {
  return new Promise((resolve, reject) => {
    let counted = 0;
    call.on("data", () => {
      counted += 1;
    });
    call.on("end", () => resolve(counted));
    call.on("error", reject);
  });
}
