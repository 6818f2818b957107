import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

test("Connect's carrier carries calls where it is asked to, and none otherwise", async () => {
  await using server = await startServer();
  const response = await fetch(`${server.url}/user.v1.UserService/ListUsers`, {
    method: "POST",
    headers: { ...(await server.auth()), "content-type": "application/json; charset=utf-8" },
    body: "{}",
  });
  expect(await response.json()).toEqual({});
  const isStock = process.env.RPC_ENGINE === "stock";
  expect(server.log.some(({ msg }) => msg === "call carried by Connect")).toBe(isStock);
});
