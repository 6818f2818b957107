import { randomBytes } from "node:crypto";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { createApp, createTokenVerifier, mintToken, principalKey } from "@rollcall/server";
import { GreetingService } from "./gen/greeting/v1/greeting_pb.ts";

/** Mounts the service. When a handler runs, its request has been validated, and it knows the caller. */
function routes(router: ConnectRouter): void {
  router.service(GreetingService, {
    greet({ name }, { values }) {
      if (name === "") throw new ConnectError("name is required", Code.InvalidArgument);
      return { text: `Hello ${name}, from ${values.get(principalKey)?.subject}` };
    },
  });
}

const secret = randomBytes(32);
const app = await createApp({
  auth: createTokenVerifier({ keys: { secret } }),
  port: Number(process.env.PORT ?? 8081),
  routes,
});
const { url } = await app.listen();
process.once("SIGINT", () => app.close());
process.once("SIGTERM", () => app.close());

const token = await mintToken({ secret, subject: "ada", scopes: ["greetings"], ttlSeconds: 3_600 });
console.log(`curl ${url}/greeting.v1.GreetingService/Greet \\
  -H 'content-type: application/json' -H 'authorization: Bearer ${token}' -d '{"name": "Grace"}'`);
