import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "@rollcall/testing/root";
import { run } from "@rollcall/testing/run-program";
import { startServer } from "@rollcall/testing/start-server";
import { afterAll, describe, expect, test } from "vitest";
import { calls, expectPrinted, sampleOf } from "./support/sampled-calls.ts";

const server = await startServer({ reflection: "token", streams: { resultIntervalMs: 1 } });
const folder = mkdtempSync(join(tmpdir(), "rollcall-samples-"));
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Runs a program to its end and returns its output. @throws Error with the output of a program that fails. */
async function runToEnd(program: string, args: readonly string[], cwd = folder, more = {}): Promise<string> {
  const env = { ...process.env, GOFLAGS: "-mod=mod", ROLLCALL_TOKEN: await server.token(), ...more };
  const { code, stdout, stderr } = await run(program, args, { cwd, env, input: "" });
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

/** Tools and languages: how to check that they are installed, generate their code, and run a sample. */
const tools: Record<string, { probe: string[]; prepare(): Promise<unknown>; run(sample: string): Promise<string> }> = {
  grpcurl: {
    probe: ["grpcurl", "-help"],
    prepare: async () => {},
    run: (sample) => runToEnd("sh", ["-ec", sample]),
  },
  Python: {
    probe: ["python3", "-c", "import grpc, grpc_tools"],
    prepare() {
      mkdirSync(join(folder, "python"));
      const files = ["user/v1/user", "stream/v1/stream", "rollcall/options/v1/auth", "buf/validate/validate"];
      return runToEnd("python3", [
        ...["-m", "grpc_tools.protoc", `-I${join(root, "proto")}`, "--python_out=python", "--grpc_python_out=python"],
        ...files.map((file) => `${file}.proto`),
      ]);
    },
    run: (sample) => runToEnd("python3", ["-c", sample], folder, { PYTHONPATH: join(folder, "python") }),
  },
  Go: {
    probe: ["go", "version"],
    async prepare() {
      const local = [
        ["google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12"],
        ["connectrpc.com/connect/cmd/protoc-gen-connect-go@v1.21.1"],
      ].map(([tool]) => ({ local: ["go", "run", tool], out: ".", opt: "module=github.com/myapp" }));
      const paths = ["proto/user", "proto/stream", "proto/rollcall"].flatMap((path) => ["--path", path]);
      const template = JSON.stringify({ version: "v2", plugins: local });
      const buf = join(root, "node_modules/.bin/buf");
      await runToEnd(buf, ["generate", "proto", ...paths, "-o", folder, "--template", template], root);
      await runToEnd("go", ["mod", "init", "github.com/myapp"]);
    },
    async run(sample) {
      const program = mkdtempSync(join(folder, "program-"));
      writeFileSync(join(program, "main.go"), sample);
      return await runToEnd("go", ["run", program]);
    },
  },
};

describe.each(Object.keys(tools))("the sample for %s", (name) => {
  const { probe, prepare, run: runSample } = tools[name] ?? expect.fail();
  test("makes all kinds of calls", async ({ skip }) => {
    const [program = "", ...args] = probe;
    const found = await run(program, args).catch(() => undefined);
    skip(found?.code !== 0, `${probe.join(" ")} fails here`);
    await prepare();
    for (const [call, printed] of Object.values(calls)) {
      expectPrinted(await runSample(sampleOf(name, server.url, call)), printed);
    }
  });
});
