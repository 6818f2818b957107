import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { openSqliteUserRepository } from "@rollcall/server";
import { connectChromium } from "@rollcall/testing/chromium";
import { startServer } from "@rollcall/testing/start-server";
import { withParts } from "@rollcall/testing/with-parts";
import { expect, test } from "vitest";
import { openApp, SCHEMES, WEB_ROOT } from "./support/open-app.ts";
import { names } from "./support/users-page.ts";

const browser = await connectChromium();

test.each(SCHEMES)("what others change is shown at once, in the table and in an open form, over %s", async (scheme) => {
  await using app = await openApp(browser, { scheme });
  const { page } = app;
  await app.createUsers(2);
  const users = createClient(UserService, app.transport);
  const [first, second] = (await users.listUsers({})).users;
  await page.getByText("Live", { exact: true }).waitFor();
  await users.updateUser({ id: first?.id ?? "", name: "Ada" });
  await expect.poll(() => names(page)).toEqual(["Ada", "Person 02"]);
  expect(await page.locator('tr[data-changed="true"] th').allInnerTexts()).toEqual(["Ada"]);
  await page.getByText("Ada was changed by somebody else").waitFor();
  const { user: third } = await users.createUser({ name: "Third", email: "third@example.com" });
  await expect.poll(() => names(page)).toEqual(["Ada", "Person 02", "Third"]);

  await page.getByRole("button", { name: "Edit Person 02" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Mine");
  // A change of another user says nothing to this form.
  await users.deleteUser({ id: third?.id ?? "" });
  await expect.poll(() => names(page)).toEqual(["Ada", "Person 02"]);
  expect(await page.getByText(/^Somebody else has/).count()).toBe(0);
  await users.updateUser({ id: second?.id ?? "", name: "Theirs" });
  await page.getByText("Somebody else has just changed this user: the name is now Theirs.").waitFor();
  expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Mine");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Somebody else changed this user while you did").waitFor();
  await page.getByRole("button", { name: "Save my changes" }).click();
  await expect.poll(() => names(page)).toEqual(["Ada", "Mine"]);
  // One's own change is nobody else's.
  await expect.poll(() => page.locator('tr[data-changed="true"] th').allInnerTexts()).not.toContain("Mine");
  await page.getByRole("button", { name: "Edit Mine" }).click();
  await users.deleteUser({ id: second?.id ?? "" });
  await page.getByText("Somebody else has deleted this user.").waitFor();
  app.expectProblems(/status of (?:409|400)/);
});

test("a tab follows a filter, and shows what it missed when its server is back", async () => {
  const repository = withParts(openSqliteUserRepository({ path: ":memory:" }), { close: async () => {} });
  await using app = await openApp(browser, { path: "/users?q=red", app: { repository } });
  const { page, server } = app;
  const live = page.getByText("Live", { exact: true });
  await live.waitFor();
  const add = (name: string, email: string) =>
    repository.insert({ id: email, email, name, createdAtMs: 1, updatedAtMs: 1, version: 1 });
  await add("Red One", "one@example.com");
  await add("Blue", "blue@example.com");
  await expect.poll(() => names(page)).toEqual(["Red One"]);
  await server.app.close();
  await page.getByText("Catching up…").waitFor();
  await repository.update("blue@example.com", { name: "Red Blue", updatedAtMs: 2 });
  await repository.delete("one@example.com");
  await using second = await startServer({ repository, port: server.port, webRoot: WEB_ROOT, auth: false });
  expect(second.port).toBe(server.port);
  await live.waitFor();
  await expect.poll(() => names(page)).toEqual(["Red Blue"]);
  // The tab may have called while there was nobody.
  app.allowProblems(/ERR_CONNECTION_REFUSED/);
});

test("a user's history says who changed it, and how", async () => {
  await using app = await openApp(browser);
  const { page, server } = app;
  await app.createUsers(1);
  const users = createClient(UserService, app.transport);
  const [user] = (await users.listUsers({})).users;
  await users.updateUser({ id: user?.id ?? "", name: "Ada" }, { headers: await server.auth({ subject: "grace" }) });
  await page.getByRole("button", { name: "History of Ada" }).click();
  await page.getByRole("heading", { name: "History of Ada" }).waitFor();
  const entries = page.locator("ol.history li");
  await expect.poll(() => entries.count()).toBe(2);
  expect(await entries.nth(0).textContent()).toContain("grace changed the name from Person 01 to Ada.");
  expect(await entries.nth(1).textContent()).toContain("tester created Person 01, person01@example.com.");
  await page.getByRole("button", { name: "Close" }).click();
  expect(await page.getByRole("dialog").count()).toBe(0);
});
