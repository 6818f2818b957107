import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { writeCaFile } from "@rollcall/testing/ca-file";
import { launchChromium } from "@rollcall/testing/chromium";
import { run } from "@rollcall/testing/run-program";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { afterAll, describe, expect, test } from "vitest";
import { commandsFor, quote, uploadCommands } from "../src/calls/shell-commands.ts";
import { openApp } from "./support/open-app.ts";

const { serverStream, clientStream, bidirectionalStream } = StreamService.method;
const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
afterAll(() => rmSync(folder, { recursive: true }));
const caFile = writeCaFile();

/** Runs a command as if it were pasted into a shell in the repository's root. */
async function paste(server: TestServer, command: string): Promise<string> {
  const { stdout } = await run("sh", ["-c", `export ROLLCALL_TOKEN=${await server.token()}\n${command}`]);
  return stdout;
}

// Characters that a shell, printf and JSON each treat in a way of their own.
const awkward = `it's 100% "sure" \\ ü $HOME \`ls\``;

describe.each(["curl", "buf curl"] as const)("the %s command", (tool) => {
  test("runs the query", async () => {
    await using server = await startServer();
    const commands = commandsFor(server.url, serverStream, [{ query: awkward }], `query ${quote(awkward)}`);
    const output = await paste(server, commands[tool]);
    expect(output).toContain(`"Result 9 for query: ${JSON.stringify(awkward).slice(1)}`);
  });

  test("holds the conversation", async () => {
    await using server = await startServer();
    const { [tool]: command } = commandsFor(
      server.url,
      bidirectionalStream,
      [{ message: "a" }, { message: awkward }],
      "chat",
    );
    const output = await paste(server, command);
    expect(output).toContain('"Echo: a"');
    expect(output).toContain(`"Echo: ${JSON.stringify(awkward).slice(1)}`);
  });

  test("uploads the file", async () => {
    await using server = await startServer();
    const file = join(folder, "it's a file");
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
    writeFileSync(file, bytes);
    const output = await paste(server, uploadCommands(server.url, clientStream, file)[tool]);
    expect(output).toContain(createHash("sha256").update(bytes).digest("hex"));
  });
});

test.each(["curl", "buf curl", "rollcall"])("what the page shows for %s works when pasted, with TLS", async (tool) => {
  await using browser = await launchChromium();
  await using app = await openApp(browser, { scheme: "https", path: "/query" });
  const { page, server } = app;
  await page.getByLabel("Query", { exact: true }).fill(awkward);
  await page.getByRole("tab", { name: tool, exact: true }).click();
  const command = (await page.getByRole("tabpanel").locator("pre").textContent()) ?? "";
  const output = await paste(server, `export ROLLCALL_CA=${caFile}\n${command}`);
  expect(output).toContain("Result 9 for query: ");
  // `rollcall` prints plain text, and the other tools print JSON.
  expect(output).toContain(tool === "rollcall" ? awkward : JSON.stringify(awkward).slice(1, -1));
  // The control: without the CA's file, no tool trusts the server.
  expect(await paste(server, command)).not.toContain("Result 9");
});

test("the rollcall command uploads the file", async () => {
  await using server = await startServer();
  const file = join(folder, "it's a file for rollcall");
  writeFileSync(file, "hello");
  const output = await paste(server, uploadCommands(server.url, clientStream, file).rollcall);
  expect(output).toContain(createHash("sha256").update("hello").digest("hex"));
});
