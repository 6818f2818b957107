import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { openSqliteUserRepository } from "@rollcall/server";
import { connectChromium } from "@rollcall/testing/chromium";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { withParts } from "@rollcall/testing/with-parts";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { type OpenApp, openApp, SCHEMES, WEB_ROOT } from "./support/open-app.ts";
import { act, names, repositoryWith } from "./support/users-page.ts";

const browser = await connectChromium();

/** Names in the rows that show that somebody else has changed them. */
const changedNames = (page: Page) => page.locator('tr[data-changed="true"] th').allInnerTexts();

test.each(SCHEMES)("what others change is shown at once, in the table and in an open form, over %s", async (scheme) => {
  await using app = await openApp(browser, { scheme });
  const { page } = app;
  await app.createUsers(2);
  const users = createClient(UserService, app.transport);
  const [first, second] = (await users.listUsers({})).users;
  await page.getByText("Live", { exact: true }).waitFor();
  await users.updateUser({ id: first?.id ?? "", name: "Ada" });
  await expect.poll(() => names(page)).toEqual(["Person 02", "Ada"]);
  await expect.poll(() => changedNames(page)).toEqual(["Ada"]);
  await page.getByText("Ada was changed by somebody else").waitFor();
  const { user: third } = await users.createUser({ name: "Third", email: "third@example.com" });
  await expect.poll(() => names(page)).toEqual(["Third", "Person 02", "Ada"]);

  await act(page, "Edit…", "Person 02");
  await page.getByLabel("Name", { exact: true }).fill("Mine");
  // A change to another user does not concern this form.
  await users.deleteUser({ id: third?.id ?? "" });
  await expect.poll(() => names(page)).toEqual(["Person 02", "Ada"]);
  expect(await page.getByText(/^Somebody else has/).count()).toBe(0);
  await users.updateUser({ id: second?.id ?? "", name: "Theirs" });
  await page.getByText("Somebody else has just changed this user: the name is now Theirs.").waitFor();
  expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Mine");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Somebody else changed this user while you did").waitFor();
  await page.getByRole("button", { name: "Save my changes" }).click();
  await expect.poll(() => names(page)).toEqual(["Mine", "Ada"]);
  // The tab does not mark its own change as somebody else's.
  await expect.poll(() => changedNames(page)).not.toContain("Mine");
  await act(page, "Edit…", "Mine");
  await users.deleteUser({ id: second?.id ?? "" });
  await page.getByText("Somebody else has deleted this user.").waitFor();
  app.expectProblems(/status of (?:409|400)/);
});

test("a tab follows a filter, and shows what it missed when its server is back", async () => {
  const repository = withParts(openSqliteUserRepository({ path: ":memory:" }), { close: async () => {} });
  await using app = await openApp(browser, { token: false, app: { repository } });
  const { page, server } = app;
  // The next server may not get the same port, so both are behind a proxy. No server listens on port 0.
  let port = server.port;
  await using proxy = await startTcpProxy(() => port);
  await page.goto(`${proxy.url}/users?q=red#token=${await server.token()}`);
  const live = page.getByText("Live", { exact: true });
  await live.waitFor();
  const add = (name: string, email: string) =>
    repository.insert({ id: email, email, name, createdAtMs: 1, updatedAtMs: 1, version: 1 });
  await add("Red One", "one@example.com");
  await add("Blue", "blue@example.com");
  await expect.poll(() => names(page)).toEqual(["Red One"]);
  port = 0;
  await server.app.close();
  await page.getByText("Catching up…").waitFor();
  await repository.update("blue@example.com", { name: "Red Blue", updatedAtMs: 2 });
  await repository.delete("one@example.com");
  await using second = await startServer({ repository, webRoot: WEB_ROOT, auth: false });
  port = second.port;
  await live.waitFor();
  await expect.poll(() => names(page)).toEqual(["Red Blue"]);
  // Requests go to the proxy's own origin. The tab may have called while no server was running.
  app.allowProblems(/^request to|ERR_/);
});

/** Lets a test set whether its tab is visible: tabs of a headless browser always are. */
const CONTROLLED_VISIBILITY = `
  let state = "visible";
  Object.defineProperty(document, "visibilityState", { get: () => state });
  globalThis.setVisibility = (next) => {
    state = next;
    document.dispatchEvent(new Event("visibilitychange"));
  };`;

function setVisibility(page: Page, state: "hidden" | "visible"): Promise<void> {
  return page.evaluate(
    (next) => (globalThis as unknown as { setVisibility(state: string): void }).setVisibility(next),
    state,
  );
}

/** Removes the locks by which tabs share connections. A page over plain HTTP from another machine has none either. */
const WITHOUT_LOCKS = `Object.defineProperty(navigator, "locks", { value: undefined });`;

const isLive = (tab: Page) => tab.getByText("Live", { exact: true }).waitFor();

/**
 * Opens more tabs of an app until there are `count`. Each has to be live and have its list before the next one opens:
 * the streams of all tabs may leave no connection for a list.
 */
async function openTabs({ page, server }: OpenApp, count: number, initScript = ""): Promise<Page[]> {
  const url = `${server.url}/#token=${await server.token()}`;
  await isLive(page);
  const tabs = [page];
  while (tabs.length < count) {
    const tab = await page.context().newPage();
    await tab.addInitScript(initScript);
    tabs.push(tab);
    await tab.goto(url);
    await isLive(tab);
    await expect.poll(() => names(tab)).not.toEqual([]);
  }
  return tabs;
}

test("a tab asks for changes only once its list is there, which needs a connection more", async () => {
  const answer = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const repository = repositoryWith((real) => ({
    async list(options) {
      asked.resolve();
      await answer.promise;
      return real.list(options);
    },
  }));
  await using app = await openApp(browser, { app: { repository }, token: false });
  const { page, server } = app;
  const tab = await page.context().newPage();
  const watches: string[] = [];
  tab.on("request", (request) => {
    if (request.url().endsWith("/user.v1.UserService/WatchUsers")) watches.push(request.method());
  });
  await tab.goto(`${server.url}/#token=${await server.token()}`);
  await asked.promise;
  await tab.getByText(/^(?:Catching up…|Live)$/).waitFor();
  // A watch that did not wait for the list would be requested before all of these are answered.
  for (let count = 0; count < 50; count++) await tab.evaluate(() => fetch("/healthz").then(({ ok }) => ok));
  expect(watches).toEqual([]);
  answer.resolve();
  await isLive(tab);
  expect(watches).toEqual(["POST"]);
});

test("seven visible tabs load and follow, though a browser has six connections to a server over HTTP/1.1", async () => {
  await using app = await openApp(browser);
  await app.createUsers(1);
  const tabs = await openTabs(app, 7);
  const users = createClient(UserService, app.transport);
  const [user] = (await users.listUsers({})).users;
  await users.updateUser({ id: user?.id ?? "", name: "Ada" });
  await users.createUser({ name: "Grace", email: "grace@example.com" });
  for (const tab of tabs) await expect.poll(() => names(tab)).toEqual(["Grace", "Ada"]);
  const heldLocks = () => app.page.evaluate(async () => (await navigator.locks.query()).held?.length);
  // A tab tries again after a while if another tab still held a lock.
  await expect.poll(heldLocks).toBe(4);
  // A connection that becomes free goes to one of the others.
  await tabs[1]?.close();
  await expect.poll(heldLocks).toBe(4);
});

test("hidden tabs give their connections to others, and go on when they are seen", async () => {
  const initScript = CONTROLLED_VISIBILITY + WITHOUT_LOCKS;
  await using app = await openApp(browser, { initScript });
  const { page, server } = app;
  await app.createUsers(1);
  const tabs = await openTabs(app, 6, initScript);
  const url = `${server.url}/#token=${await server.token()}`;
  const seventh = await page.context().newPage();
  await seventh.addInitScript(initScript);
  let hasLoaded = false;
  const loading = seventh.goto(url).then(() => {
    hasLoaded = true;
  });
  // Streams use all connections that the browser may have, so the new page waits. The other tabs still see changes.
  const users = createClient(UserService, app.transport);
  const [user] = (await users.listUsers({})).users;
  const rename = (name: string) => users.updateUser({ id: user?.id ?? "", name });
  await rename("Ada");
  for (const tab of tabs) await expect.poll(() => names(tab)).toEqual(["Ada"]);
  expect(hasLoaded).toBe(false);
  const endedWatches = () =>
    server.log.filter(({ msg, method }) => msg === "call" && method === "user.v1.UserService/WatchUsers").length;
  const endedBefore = endedWatches();
  for (const tab of tabs) await setVisibility(tab, "hidden");
  // Each tab gives its connection back in its own time.
  await until(() => endedWatches() >= endedBefore + tabs.length);
  await loading;
  await isLive(seventh);
  await rename("Grace");
  await expect.poll(() => names(seventh)).toEqual(["Grace"]);
  expect(await names(page)).toEqual(["Ada"]);
  await setVisibility(page, "visible");
  await expect.poll(() => names(page)).toEqual(["Grace"]);
  await expect.poll(() => changedNames(page)).toEqual(["Grace"]);
  await isLive(page);
});
