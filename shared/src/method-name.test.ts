import { expect, test } from "vitest";
import { methodName } from "./method-name.ts";

test("a method's name begins with that of its service", () => {
  const method = { name: "GetUser", parent: { typeName: "user.v1.UserService" } };
  expect(methodName(method)).toBe("user.v1.UserService/GetUser");
});
