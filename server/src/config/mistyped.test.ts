import { expect, test } from "vitest";
import { findMistyped } from "./mistyped.ts";

const known = ["HOST", "PORT", "AUTH_AUDIENCE", "AUTH_SECRET", "LOG_LEVEL", "MAX_CALLS"];

test.each([
  ["PROT", "PORT"],
  ["PORTS", "PORT"],
  ["port", "PORT"],
  ["AUTH_AUDIANCE", "AUTH_AUDIENCE"],
  ["AUTH-SECRET", "AUTH_SECRET"],
  ["LOGLEVEL", "LOG_LEVEL"],
  ["MAX_CALL", "MAX_CALLS"],
])("%s is probably meant to be %s", (name, meant) => expect(findMistyped(name, known)).toBe(meant));

test.each(["PORT", "AUTH_SECRET", "NODE_ENV", "ROLLCALL_TOKEN", "CHROMIUM_PATH", "POSTGRES_PORT", "A"])(
  "%s is left alone",
  (name) => expect(findMistyped(name, known)).toBeUndefined(),
);
