import { rollcallInside } from "@rollcall/testing/run-rollcall";
import { startServer } from "@rollcall/testing/start-server";

/** Starts a server, and runs `rollcall` with its address and a token of all scopes. */
export async function startSignedIn() {
  const server = await startServer();
  const env = { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: await server.token() };
  const globals = ["--address", env.ROLLCALL_ADDRESS, "--token", env.ROLLCALL_TOKEN];
  return {
    server,
    run: (args: string[], input?: string) => rollcallInside([...globals, ...args], { input }),
    env,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
