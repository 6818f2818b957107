import { expect, test } from "vitest";
import { MessageLog } from "./message-log.ts";

test("a log keeps the latest messages, and counts the others", () => {
  const log = new MessageLog();
  for (let number = 1; number <= 250; number++) log.add("received", number, `message ${number}`);
  expect(log.messages).toHaveLength(200);
  expect(log.messages.at(-1)).toEqual({ number: 250, direction: "received", atMs: 250, text: "message 250" });
  expect(log.dropped).toBe(50);
});

test("a log keeps a million characters, of a message 50,000", () => {
  const log = new MessageLog();
  for (let number = 1; number <= 50; number++) log.add("sent", number, "x".repeat(60_000));
  const characters = log.messages.reduce((sum, { text }) => sum + text.length, 0);
  expect(characters).toBeLessThanOrEqual(1_000_000);
  expect(characters).toBeGreaterThan(900_000);
  expect(log.messages[0]?.text).toMatch(/x… \(10000 characters more\)$/);
});
