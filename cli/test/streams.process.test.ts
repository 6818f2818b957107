import { createHash } from "node:crypto";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { startSignedIn } from "./support/start-signed-in.ts";

test("query and chat print what comes; chat takes a pipe", async () => {
  await using signedIn = await startSignedIn();
  const query = await signedIn.run(["query", "ada"]);
  expect(query.stdout.split("\n")).toHaveLength(11);
  expect(query.stdout).toContain("Result 9 for query: ada\n");
  expect(await signedIn.run(["query", ""])).toMatchObject({ code: 1 });
  const input = "Hello\nHow are you?\nGoodbye\n";
  const chat = await rollcall(["chat"], { env: signedIn.env, input });
  expect(chat).toEqual({ code: 0, stdout: "Echo: Hello\nEcho: How are you?\nEcho: Goodbye\n", stderr: "" });
});

test("chat splits its input at line feeds alone", async () => {
  await using signedIn = await startSignedIn();
  const chat = await signedIn.run(["chat", "--json"], "one\u2028two\rthree\r\nfour");
  const replies = chat.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).reply);
  expect(replies).toEqual(["Echo: one\u2028two\rthree", "Echo: four"]);
  const tooLong = await signedIn.run(["chat"], "x".repeat(4 * 1_024 ** 2 + 1));
  expect(tooLong).toEqual({ code: 2, stdout: "", stderr: "rollcall: line 1 of the input is longer than 4 MiB\n" });
});

test("chat ends when the server does, though its input stays open", async () => {
  await using signedIn = await startSignedIn();
  const { env, server } = signedIn;
  const chat = await rollcall(["chat"], {
    env,
    onStart(child) {
      child.stdin?.write("Hello\n");
      child.stdout?.once("data", () => void server.app.close());
    },
  });
  expect(chat).toMatchObject({ code: 1, stdout: "Echo: Hello\n", stderr: expect.stringContaining("unavailable") });
});

test("upload sends a file and prints its checksum", async () => {
  await using signedIn = await startSignedIn();
  await using dir = await mkdtempDisposable(join(tmpdir(), "rollcall-cli-"));
  const path = join(dir.path, "file");
  const bytes = Buffer.alloc(1_000_000, "rollcall ");
  await writeFile(path, bytes);
  const checksum = createHash("sha256").update(bytes).digest("hex");
  const asText = await signedIn.run(["upload", path]);
  expect(asText).toEqual({ code: 0, stdout: `${checksum}  1000000 bytes  ${path}\n`, stderr: "" });
  const asJson = await signedIn.run(["upload", path, "--json"]);
  expect(JSON.parse(asJson.stdout)).toEqual({ totalBytes: 1_000_000, checksum });
});

test.each([
  { signal: "SIGINT", exitCode: 130 },
  { signal: "SIGTERM", exitCode: 143 },
] as const)("$signal cancels the call and says what was done", async ({ signal, exitCode }) => {
  await using server = await startServer({ streams: { resultCount: 1_000, resultIntervalMs: 20 } });
  const env = { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: await server.token() };
  const query = await rollcall(["query", "endless"], {
    env,
    onStart: (child) => child.stdout?.once("data", () => child.kill(signal)),
  });
  expect(query.code).toBe(exitCode);
  expect(query.stderr).toMatch(/^rollcall: canceled after \d+ results\n$/);
  // The server has stopped too, long before the last result.
  const call = await until(() => server.log.find(({ method }) => String(method).endsWith("/ServerStream")));
  expect(call).toMatchObject({ code: "canceled" });
});
