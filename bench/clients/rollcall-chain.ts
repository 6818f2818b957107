/** Rollcall's client with its defaults: request ids, retries, token, deadlines and domain errors. */
import { createRollcall } from "@rollcall/client/node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { chat, count } from "./connect-calls.ts";
import { IN_FLIGHT, measureClient } from "./measure.ts";

await measureClient(({ url: baseUrl, token, protocol, httpVersion, userId }) => {
  const pool = httpVersion === "2" ? {} : { size: IN_FLIGHT.getUser };
  const client = createRollcall({ baseUrl, protocol, httpVersion, token, pool });
  const streams = client.service(StreamService);
  return {
    check: async () => (await client.users.get(userId)).name,
    async getUser() {
      await client.users.get(userId);
      return 1;
    },
    serverStream: () => count(client.streams.query("x")),
    bidirectionalStream: () => count(streams.bidirectionalStream(chat())),
  };
});
