import { expect, test } from "vitest";
import { linkOf, MAX_BODY_CHARACTERS, readLink } from "./link.ts";

test("a link holds the call, whatever characters are in it", () => {
  const call = {
    method: "user.v1.UserService/GetUser",
    via: "connect",
    timeoutMs: "500",
    body: '{"id": "a&b=c#ü+ %"}',
  };
  expect(readLink(linkOf(call))).toEqual(call);
});

test("a body that is too long is left out, and not read either", () => {
  const method = "user.v1.UserService/GetUser";
  const longest = "x".repeat(MAX_BODY_CHARACTERS);
  expect(readLink(linkOf({ method, body: longest }))).toEqual({ method, body: longest });
  expect(readLink(linkOf({ method, body: `${longest}x` }))).toEqual({ method });
  expect(readLink(`#method=${method}&body=${longest}x`)).toEqual({ method });
});

test("what is not part of a call is ignored", () => {
  expect(readLink("#token=secret&other=1")).toEqual({});
  expect(readLink("")).toEqual({});
});
