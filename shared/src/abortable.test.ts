import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { abortable } from "./abortable.ts";

const never = new Promise<never>(() => {});

test("it settles as the value does, and leaves no listener on the signal", async () => {
  const { signal } = new AbortController();
  expect(await abortable("now", signal)).toBe("now");
  expect(await abortable(Promise.resolve("later"), signal)).toBe("later");
  await expect(abortable(Promise.reject(new Error("failed")), signal)).rejects.toThrow("failed");
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("it rejects with the reason as soon as the signal is aborted", async () => {
  const controller = new AbortController();
  const waiting = abortable(never, controller.signal);
  controller.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
});

test("a signal that was aborted before wins over a value that is there", async () => {
  await expect(abortable("now", AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
});
