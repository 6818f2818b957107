/** Rollcall's client as it comes: request ids, retries, token, deadlines and domain errors. */
import { createRollcall } from "@rollcall/client/node";
import { measureClient } from "./measure.ts";

await measureClient(({ url, token, protocol, userId }) => {
  const client = createRollcall({ baseUrl: url, protocol, token });
  return {
    check: async () => (await client.users.get(userId)).name,
    async getUser() {
      await client.users.get(userId);
      return 1;
    },
  };
});
