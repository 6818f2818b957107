import type { DescMethod } from "@bufbuild/protobuf";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { expect } from "vitest";
import { commands } from "../../src/explorer/samples/commands.ts";
import { programs } from "../../src/explorer/samples/programs.ts";
import type { SampledCall } from "../../src/explorer/samples/sampled-call.ts";

export type PartialCall = Partial<SampledCall> & { method: DescMethod };

/** Characters that a shell, printf, JSON and string literals each treat in a way of their own. */
export const awkward = `it's 100% "sure" \\ ü $HOME \`ls\``;

/** Returns the explorer's sample of a call for a tool or language. */
export function sampleOf(tool: string, address: string, call: PartialCall): string {
  const make = { ...commands, ...programs }[tool] ?? expect.fail(`no sample for ${tool}`);
  const defaults = { via: "connect", bodies: [{}], headers: [], timeoutMs: undefined } as const;
  return make({ address, ...defaults, withToken: true, isReflected: true, ...call });
}

/** Calls, each with the output that it prints. Rollcall's chat echoes. */
export const calls: Record<string, [call: PartialCall, printed: string[]]> = {
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

/** Expects JSON texts in an output, regardless of its spaces and of how it writes characters beyond ASCII. */
export function expectPrinted(output: string, texts: readonly string[]): void {
  const plain = output
    .replaceAll(/":\s+/g, '":')
    .replaceAll(/\\u([0-9a-f]{4})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
  for (const text of texts) expect(plain).toContain(text);
}
