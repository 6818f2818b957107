import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import type { CallFacts } from "../rpc/record/call-record.ts";
import { createAccessLog } from "./access-log.ts";
import { createLineBatch } from "./line-batch.ts";
import { createLogger } from "./logger.ts";

const whole: CallFacts = {
  requestId: "r-1",
  peer: "[::1]:4711",
  proxy: undefined,
  method: "user.v1.UserService/UpdateUser",
  startedAtMs: 0,
  trace: { traceId: "0af7651916cd43dd8448eb211c80319c", run: (work) => work() },
  protocol: "grpc-web",
  principal: { subject: 'a"b\u202e\n\ud800', scopes: new Set(), expiresAtMs: 0 },
  resource: "\u0007 é \u2028",
  requestBytes: 5,
  responseBytes: 0,
};
const bare: CallFacts = { ...whole, trace: undefined, protocol: undefined, principal: undefined, resource: undefined };

test.each([
  [whole, Code.NotFound],
  [bare, undefined],
])("the line built by hand is the logger's own", (call, code) => {
  const lines: string[] = [];
  const output = { write: (line: string) => lines.push(line) };
  const logger = createLogger("info", output);
  for (const each of [undefined, output]) createAccessLog(logger, each)(call, { code, durationMs: 1.23456 });
  const [byLogger = "", byHand = ""] = lines.map((line) => line.replace(/"time":"[^"]+"/, ""));
  expect(byHand).toBe(byLogger);
});

test("no line is written below the log's level", () => {
  const lines: string[] = [];
  const output = { write: (line: string) => lines.push(line) };
  createAccessLog(createLogger("warn", output), output)(whole, { code: undefined, durationMs: 1 });
  expect(lines).toEqual([]);
});

test("the lines of a turn are one write; many, and a flush, do not wait for its end", async () => {
  const writes: string[] = [];
  const batch = createLineBatch({ write: (text) => writes.push(text) });
  batch.write("a\n");
  batch.write("b\n");
  expect(writes).toEqual([]);
  await new Promise(setImmediate);
  expect(writes).toEqual(["a\nb\n"]);
  batch.write("c\n");
  batch.flush();
  batch.write("d".repeat(70_000));
  expect(writes.slice(1)).toEqual(["c\n", "d".repeat(70_000)]);
});
