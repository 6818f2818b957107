import { once } from "node:events";
import { withProbe } from "@rollcall/testing/probe-service";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { startSignedIn } from "./support/start-signed-in.ts";

const READ = { code: 130, stderr: "rollcall: canceled; nothing was changed\n" };
const UNKNOWN = { code: 130, stderr: "rollcall: canceled; whether the server has acted on it is not known\n" };

test.each([
  ["WatchUsers", '{"includeExisting": true}'],
  ["grpc.health.v1.Health/Watch", "{}"],
])("Ctrl-C during %s, which reads, says that nothing was changed", async (method, request) => {
  await using signedIn = await startSignedIn();
  const result = await rollcall(["call", method, request], {
    env: signedIn.env,
    onStart: (child) => child.stdout?.once("data", () => child.kill("SIGINT")),
  });
  expect(result).toMatchObject(READ);
});

test.each([
  ["Unary", READ],
  // Its contract does not say that it only reads.
  ["probe.v1.ProbeService/ServerStream", UNKNOWN],
])("Ctrl-C during %s of a host, by its contract", async (method, expected) => {
  const begun = Promise.withResolvers<void>();
  const wait = async (signal: AbortSignal) => {
    begun.resolve();
    if (!signal.aborted) await once(signal, "abort");
    return {};
  };
  await using server = await startServer(
    withProbe({
      unary: (_request, { signal }) => wait(signal),
      async *serverStream(_request, { signal }) {
        yield await wait(signal);
      },
    }),
  );
  const result = await rollcall(["call", method, '"x"'], {
    env: { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: await server.token() },
    onStart: (child) => void begun.promise.then(() => child.kill("SIGINT")),
  });
  expect(result).toMatchObject(expected);
});

test.each([
  ["CreateUser", READ],
  ["ClientStream", UNKNOWN],
  ["BidirectionalStream", UNKNOWN],
])("Ctrl-C ends %s while standard input is still open", async (method, expected) => {
  await using signedIn = await startSignedIn();
  const result = await rollcall(["call", method, "-"], {
    env: signedIn.env,
    // More than a pipe holds: once it is written, the command reads.
    onStart: (child) => child.stdin?.write(" ".repeat(1_024 ** 2), () => child.kill("SIGINT")),
  });
  expect(result).toMatchObject(expected);
});
