/** Tests that a process that ends within a turn still writes its log lines, which otherwise wait for the turn's end. */

import { type ServerProcess, startProcess } from "@rollcall/testing/start-process";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

/** Returns an environment that makes a process fail, or end, at SIGUSR2. */
const onUsr2 = (statement: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`process.on("SIGUSR2",()=>{${statement}})`)}`,
});

const exits = [
  { by: "SIGTERM", signal: "SIGTERM", env: {}, code: 0, last: "stopped" },
  { by: "SIGINT", signal: "SIGINT", env: {}, code: 0, last: "stopped" },
  { by: "an exception", signal: "SIGUSR2", env: onUsr2('throw new Error("x")'), code: 1, last: "uncaught exception" },
  { by: "a rejection", signal: "SIGUSR2", env: onUsr2("Promise.reject(1)"), code: 1, last: "unhandled rejection" },
] as const;

test.each(exits)("the log's last line is written when $by ends the process", async ({ signal, env, code, last }) => {
  await using server = await startProcess({ env });
  server.process.kill(signal);
  expect(await server.exited).toBe(code);
  await server.closed;
  expect(lastMessage(server)).toBe(last);
});

test("a process that exits in the middle of a turn has written the lines of that turn", async () => {
  const env = onUsr2('process.emitWarning("w");process.on("warning",()=>process.exit(3))');
  await using server = await startProcess({ env });
  server.process.kill("SIGUSR2");
  expect(await server.exited).toBe(3);
  await server.closed;
  expect(lastMessage(server)).toBe("warning");
});

test("a start that fails has written why", async () => {
  await using other = await startServer();
  const output = await startProcess({ port: other.port }).then(
    () => expect.unreachable("two servers have one port"),
    (error: Error) => error.message,
  );
  expect(output).toContain('"msg":"can\'t start: can\'t listen on');
});

function lastMessage(server: ServerProcess): unknown {
  return JSON.parse(server.output().trimEnd().split("\n").at(-1) ?? "").msg;
}
