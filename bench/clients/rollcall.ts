/** Rollcall's transport alone, under a generated client. */
import { createNodeTransport } from "@rollcall/client/node";
import { connectCalls } from "./connect-calls.ts";
import { IN_FLIGHT, measureClient } from "./measure.ts";

await measureClient((args) => {
  const { url: baseUrl, protocol, httpVersion } = args;
  const pool = httpVersion === "2" ? {} : { size: IN_FLIGHT.getUser };
  const transport = createNodeTransport({ baseUrl, protocol, httpVersion, pool });
  return connectCalls(transport, args, { sendsToken: true });
});
