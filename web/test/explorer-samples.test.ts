import type { DescMethod, JsonValue } from "@bufbuild/protobuf";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { writeCaFile } from "@rollcall/testing/ca-file";
import { connections, startServerFor } from "@rollcall/testing/matrix";
import { run } from "@rollcall/testing/run-program";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, describe, expect, test } from "vitest";
import { commands } from "../src/explorer/samples/commands.ts";
import { programs } from "../src/explorer/samples/programs.ts";
import type { SampledCall } from "../src/explorer/samples/sampled-call.ts";
import { OrderService, withOrders } from "./support/order-service.ts";

// Reflection asks for a token, so that the tools have to send it there, too.
const server = await startServer({ ...withOrders, reflection: "token", streams: { resultIntervalMs: 1 } });
afterAll(() => server[Symbol.asyncDispose]());
const caFile = writeCaFile();

// Characters that a shell, printf, JSON and string literals each treat in a way of their own.
const awkward = `it's 100% "sure" \\ ü $HOME \`ls\``;

const sampleOf = (tool: string, { url }: TestServer, call: Partial<SampledCall> & { method: DescMethod }) =>
  ({ ...commands, ...programs })[tool]?.({
    address: url,
    via: "connect",
    bodies: [{}],
    headers: [],
    timeoutMs: undefined,
    withToken: true,
    isReflected: true,
    ...call,
  }) ?? expect.fail(`no sample for ${tool}`);

/** Runs a sample as if it were pasted, in the repository's root. Returns what it prints, on both of its outputs. */
async function paste(tool: string, { token }: TestServer, sample: string): Promise<string> {
  const code = tool === "TypeScript" ? ["--input-type=module-typescript", "-e", sample] : ["-c", sample];
  const program = tool === "TypeScript" ? process.execPath : "sh";
  const env = { ...process.env, ROLLCALL_TOKEN: await token(), ROLLCALL_CA: caFile };
  const { stdout, stderr } = await run(program, code, { env, input: "" });
  return stdout + stderr;
}

/** Calls with what each prints. Rollcall's chat echoes, and so does the host's order. */
const calls: Record<string, [call: Partial<SampledCall> & { method: DescMethod }, printed: string[]]> = {
  "a unary call, with a header and a deadline": [
    {
      method: UserService.method.createUser,
      bodies: [{ email: "ada@example.com", name: awkward, requestId: "1" }],
      headers: [["x-note", "it's a note"]],
      timeoutMs: 20_000,
    },
    [JSON.stringify(awkward), "ada@example.com"],
  ],
  "a server stream, by gRPC-Web": [
    { method: StreamService.method.serverStream, bodies: [{ query: awkward }], via: "grpc-web", timeoutMs: 20_000 },
    [`"Result 9 for query: ${JSON.stringify(awkward).slice(1)}`],
  ],
  "a client stream": [
    {
      method: StreamService.method.clientStream,
      bodies: [{ chunk: "aGVsbG8=" }, { chunk: "aGVsbG8=" }],
      via: "grpc-websockets",
    },
    ['"totalBytes":"10"'],
  ],
  "a conversation": [
    {
      method: StreamService.method.bidirectionalStream,
      bodies: [{ message: "a" }, { message: awkward }],
      via: "grpc-websockets",
    },
    ['"Echo: a"', `"Echo: ${JSON.stringify(awkward).slice(1)}`],
  ],
};

describe.each(["curl", "buf curl", "TypeScript"])("the sample for %s", (tool) => {
  test.each(Object.keys(calls))("makes %s", async (name) => {
    const [call, printed] = calls[name] ?? expect.fail();
    const output = await paste(tool, server, sampleOf(tool, server, call));
    for (const text of printed) expect(output.replaceAll(/": "/g, '":"')).toContain(text);
  });
});

test.each(["curl", "buf curl"])("the sample for %s calls a host's service, and needs the token", async (tool) => {
  const bodies: JsonValue[] = [{ note: awkward, items: [{ sku: "a" }] }];
  const call = { method: OrderService.method.place, bodies };
  expect(await paste(tool, server, sampleOf(tool, server, call))).toContain(JSON.stringify(awkward));
  const withoutToken = sampleOf(tool, server, { ...call, withToken: false });
  expect(await paste(tool, server, withoutToken)).toMatch(
    // Without a token, buf curl is not even told of the service.
    /missing authorization token|failed to find service/,
  );
});

test("the samples call a server with TLS, and one without reflection by the repository's contract", async () => {
  await using secure = await startServerFor(connections.tlsH2, { reflection: "off" });
  const call = { method: UserService.method.listUsers, isReflected: false, bodies: [{ includeTotalSize: true }] };
  for (const tool of ["curl", "buf curl"]) {
    expect(await paste(tool, secure, sampleOf(tool, secure, call))).toMatch(/"totalSize": ?0/);
  }
});
