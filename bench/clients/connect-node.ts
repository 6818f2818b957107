/** Connect's own transport for Node.js, under a generated client. */
import { Agent } from "node:http";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { connectCalls } from "./connect-calls.ts";
import { IN_FLIGHT, measureClient } from "./measure.ts";

await measureClient((args) => {
  const { url: baseUrl, protocol, httpVersion } = args;
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT.getUser });
  const transport =
    protocol === "grpc"
      ? createGrpcTransport({ baseUrl })
      : httpVersion === "2"
        ? createConnectTransport({ baseUrl, httpVersion })
        : createConnectTransport({ baseUrl, httpVersion, nodeOptions: { agent } });
  return connectCalls(transport, args, { sendsToken: true });
});
