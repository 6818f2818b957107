import type { JsonValue } from "@bufbuild/protobuf";
import { UserService } from "@rollcall/gen/user/v1/user";
import { writeCaFile } from "@rollcall/testing/ca-file";
import { connections, startServerFor } from "@rollcall/testing/matrix";
import { run } from "@rollcall/testing/run-program";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, describe, expect, test } from "vitest";
import { OrderService, withOrders } from "./support/order-service.ts";
import { awkward, calls, expectPrinted, sampleOf } from "./support/sampled-calls.ts";

// Reflection requires a token, so the tools have to send it there, too.
const server = await startServer({ ...withOrders, reflection: "token", streams: { resultIntervalMs: 1 } });
afterAll(() => server[Symbol.asyncDispose]());
const caFile = writeCaFile();

/** Runs a sample as if it were pasted, in the repository's root. Returns its standard output and standard error. */
async function paste(tool: string, { token }: TestServer, sample: string): Promise<string> {
  const code = tool === "TypeScript" ? ["--input-type=module-typescript", "-e", sample] : ["-c", sample];
  const program = tool === "TypeScript" ? process.execPath : "sh";
  const env = { ...process.env, ROLLCALL_TOKEN: await token(), ROLLCALL_CA: caFile };
  const { stdout, stderr } = await run(program, code, { env, input: "" });
  return stdout + stderr;
}

describe.each(["curl", "buf curl", "TypeScript"])("the sample for %s", (tool) => {
  test.each(Object.keys(calls))("makes %s", async (name) => {
    const [call, printed] = calls[name] ?? expect.fail();
    expectPrinted(await paste(tool, server, sampleOf(tool, server.url, call)), printed);
  });
});

test.each(["curl", "buf curl"])("the sample for %s calls a host's service, and needs the token", async (tool) => {
  const bodies: JsonValue[] = [{ note: awkward, items: [{ sku: "a" }] }];
  const call = { method: OrderService.method.place, bodies };
  expect(await paste(tool, server, sampleOf(tool, server.url, call))).toContain(JSON.stringify(awkward));
  const withoutToken = sampleOf(tool, server.url, { ...call, withToken: false });
  expect(await paste(tool, server, withoutToken)).toMatch(
    // Without a token, buf curl can't even find the service.
    /missing authorization token|failed to find service/,
  );
});

test("the samples call a server with TLS, and one without reflection by the repository's contract", async () => {
  await using secure = await startServerFor(connections.tlsH2, { reflection: "off" });
  const call = { method: UserService.method.listUsers, isReflected: false, bodies: [{ includeTotalSize: true }] };
  for (const tool of ["curl", "buf curl"]) {
    expect(await paste(tool, secure, sampleOf(tool, secure.url, call))).toMatch(/"totalSize": ?0/);
  }
});
