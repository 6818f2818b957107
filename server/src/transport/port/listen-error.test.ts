import { expect, test } from "vitest";
import { ListenError } from "./listen-error.ts";

test.each([
  [
    "localhost",
    "EACCES",
    /^can't listen on localhost:80: this user has no permission .*; set PORT to another.* \(EACCES\)$/,
  ],
  [
    "fd00::1",
    "EAFNOSUPPORT",
    /^can't listen on \[fd00::1\]:80: this machine .*; set HOST to one that it has \(EAFNOSUPPORT\)$/,
  ],
  ["fe80::1", "EINVAL", /^can't listen on \[fe80::1\]:80: the system refuses it \(EINVAL\)$/],
])("an error of Node at %s with %s in words", (host, code, words) => {
  const cause = Object.assign(new Error("no"), { code });
  const error = new ListenError(host, 80, cause);
  expect(error).toMatchObject({ code, cause });
  expect(error.message).toMatch(words);
});

test("the setting to change is the port's own", () => {
  const cause = Object.assign(new Error("no"), { code: "EADDRINUSE" });
  expect(new ListenError("localhost", 80, cause, "PROBE_PORT").message).toContain("set PROBE_PORT to a free port");
});
