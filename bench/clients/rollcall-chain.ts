/** Rollcall's client as it comes: request ids, retries, token, deadlines and domain errors. */
import { createRollcallClient } from "@rollcall/client/node";
import { measureClient } from "./measure.ts";

await measureClient(({ url, token, protocol, userId }) => {
  const client = createRollcallClient({ baseUrl: url, protocol, token });
  return {
    check: async () => (await client.getUser(userId)).name,
    async getUser() {
      await client.getUser(userId);
      return 1;
    },
  };
});
