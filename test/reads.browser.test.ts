/** Tests a real browser's cache, since no stand-in would prove anything about it. */
import { launchChromium } from "@rollcall/testing/chromium";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const LIST_USERS = "user.v1.UserService/ListUsers";

test("a page that reads again gets what has not changed from its cache, and what has from the server", async () => {
  await using server = await startServer();
  const headers = await server.auth();
  const create = (email: string) =>
    fetch(`${server.url}/user.v1.UserService/CreateUser`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ email, name: "Ada" }),
    });
  await create("ada@example.com");
  await using browser = await launchChromium();
  await using page = await browser.newPage();
  await page.goto(`${server.url}/healthz`);
  const read = async (authorization: string) => {
    const text = await page.evaluate(
      async ([url = "", authorization = ""]) => (await fetch(url, { headers: { authorization } })).text(),
      [`/${LIST_USERS}?encoding=json&message={}`, authorization],
    );
    const { users, code } = JSON.parse(text);
    return code ?? users.length;
  };
  const stranger = await server.auth({ scopes: [] });
  const answers = [await read(headers.authorization), await read(headers.authorization)];
  await create("grace@example.com");
  answers.push(await read(headers.authorization), await read(stranger.authorization));
  // An answer to one token is not reused for another.
  expect(answers).toEqual([1, 1, 2, "permission_denied"]);
  const lines = await until(() => {
    const calls = server.log.filter(({ method }) => method === LIST_USERS);
    return calls.length === 4 && calls;
  });
  // Only the second answer had no body.
  expect(lines.map(({ responseBytes }) => Number(responseBytes) > 0)).toEqual([true, false, true, true]);
});
