/** Connect's own transport for Node.js, under a generated client. */
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { connectCalls } from "./connect-calls.ts";
import { measureClient } from "./measure.ts";

await measureClient((args) => {
  const create = args.protocol === "grpc" ? createGrpcTransport : createConnectTransport;
  return connectCalls(create({ baseUrl: args.url, httpVersion: "2" }), args, { sendsToken: true });
});
