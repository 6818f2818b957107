import { expect, test } from "vitest";
import { parseOptions, pick } from "./options.ts";

test("the default run is five rounds of one and a half seconds, and is kept", () => {
  expect(parseOptions([])).toMatchObject({ rounds: 5, seconds: 1.5, only: [], contestants: [], keeps: true });
});

test("a quick or partial run is not kept unless asked", () => {
  expect(parseOptions(["--quick"])).toMatchObject({ rounds: 1, seconds: 1, keeps: false });
  expect(parseOptions(["--only", "get list", "--seconds", "2"])).toMatchObject({
    only: ["get", "list"],
    rounds: 5,
    seconds: 2,
    keeps: false,
  });
  expect(parseOptions(["--quick", "--keep"]).keeps).toBe(true);
});

test.each([[["--rounds", "0"]], [["--rounds", "1.5"]], [["--seconds", "x"]], [["--fast"]]])("%j is refused", (args) => {
  expect(() => parseOptions(args)).toThrow();
});

test("a name picks itself, a part of names all that have it", () => {
  const names = ["rollcall", "rollcall-memory", "bare-http2"];
  expect([...pick(names, [])]).toEqual(names);
  expect([...pick(names, ["rollcall"])]).toEqual(["rollcall"]);
  expect([...pick(names, ["roll", "bare"])]).toEqual(names);
  expect(() => pick(names, ["x"])).toThrow("nothing is named x");
});
