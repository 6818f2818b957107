/** Rollcall's transport alone, under a generated client. */
import { createNodeTransport } from "@rollcall/client/node";
import { connectCalls } from "./connect-calls.ts";
import { measureClient } from "./measure.ts";

await measureClient((args) => {
  const transport = createNodeTransport({ baseUrl: args.url, protocol: args.protocol });
  return connectCalls(transport, args, { sendsToken: true });
});
