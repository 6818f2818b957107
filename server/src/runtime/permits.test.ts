import { expect, test } from "vitest";
import { Permits } from "./permits.ts";

test("a fixed number run at once, others wait, and one that leaves the line holds up nobody", async () => {
  const permits = new Permits(2);
  const went: string[] = [];
  const go = (name: string, signal?: AbortSignal) => permits.acquire(signal).then(() => went.push(name));
  const leaving = new AbortController();
  await Promise.all([go("a"), go("b")]);
  const left = go("c", leaving.signal);
  const last = [go("d"), go("e")];
  leaving.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  expect(went).toEqual(["a", "b"]);
  permits.release();
  await last[0];
  expect(went).toEqual(["a", "b", "d"]);
  permits.release();
  await last[1];
  permits.release();
  permits.release();
  await Promise.all([go("f"), go("g")]);
  expect(went).toEqual(["a", "b", "d", "e", "f", "g"]);
  await expect(permits.acquire(AbortSignal.abort(new Error("late")))).rejects.toThrow("late");
});

test("owners take turns, however many of one of them wait", async () => {
  const permits = new Permits(1);
  const went: string[] = [];
  const go = async (owner: string) => {
    await permits.acquire(undefined, owner);
    went.push(owner);
    permits.release();
  };
  await permits.acquire();
  const all = [go("many"), go("many"), go("many"), go("few")];
  permits.release();
  await Promise.all(all);
  expect(went).toEqual(["many", "few", "many", "many"]);
});
