import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { sendBombs } from "./support/bombs.ts";

test("a message whose turn does not come ends with its call, as any other does", async () => {
  await using server = await startServer({ codingThreads: 1 });
  const headers = { ...(await server.auth()), "connect-timeout-ms": "200" };
  const answers = await sendBombs(server.url, headers, { coding: "br", streams: 100, messages: 10 });
  const failed = answers.filter((answer) => answer.includes("error"));
  expect(failed).not.toHaveLength(0);
  for (const answer of failed) expect(answer).toContain("deadline_exceeded");
});
