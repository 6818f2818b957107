import { type MintOptions, openSqliteUserRepository } from "@rollcall/server";
import { connectChromium } from "@rollcall/testing/chromium";
import { describe, expect, test } from "vitest";
import { type OpenApp, openApp, SCHEMES, SERVER_AWAY } from "./support/open-app.ts";
import { say } from "./support/stream-pages.ts";
import { act } from "./support/users-page.ts";

/** Lifetime of the tests' tokens. */
const HOUR_MS = 3_600_000;

const browser = await connectChromium();

describe.each(SCHEMES)("over %s", (scheme) => {
  test("the link signs in, and its token leaves the address bar and the history", async () => {
    await using app = await openApp(browser, { scheme, token: { subject: "ada", scopes: ["users:read", "streams"] } });
    const { page, server } = app;
    await page.getByText("Nobody is here yet.").waitFor();
    expect(page.url()).toBe(`${server.url}/users`);
    expect(await page.locator(".who").textContent()).toMatch(/adausers:read streams/);
    await page.goBack();
    expect(page.url()).not.toContain("token");
  });

  test("a token is pasted, kept through a reload, and gone after the sign-out", async () => {
    await using app = await openApp(browser, { scheme, token: false });
    const { page, server } = app;
    const token = page.getByLabel("Token");
    const submit = page.getByRole("button", { name: "Sign in" });
    await token.fill("nonsense");
    await submit.click();
    await page.getByText("This is not a token").waitFor();
    await token.fill(await server.token({ ttlSeconds: -10 }));
    await submit.click();
    await page.getByText("This token has expired").waitFor();
    app.expectProblems(/status of 401/);
    await token.fill(`  ${await server.token()}\n`);
    await submit.click();
    await page.getByText("Nobody is here yet.").waitFor();
    await page.reload();
    await page.getByText("Nobody is here yet.").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
  });
});

test("the whole link can be pasted too", async () => {
  await using app = await openApp(browser, { token: false, path: "/chat" });
  const { page, server } = app;
  await page.getByLabel("Token").fill(`${server.url}/#token=${await server.token()}`);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Chat" }).waitFor();
});

test("when the token expires, a page says so, and a new one leads back", async () => {
  let nowMs = Date.now();
  await using app = await openApp(browser, {
    path: "/query",
    token: { subject: "ada" },
    clockAheadMs: 0,
    app: { now: () => nowMs },
  });
  const { page, server } = app;
  await page.getByRole("heading", { name: "Query" }).waitFor();
  nowMs = Date.now() + HOUR_MS;
  await page.clock.fastForward(HOUR_MS);
  await page.getByRole("heading", { name: "Your session has expired" }).waitFor();
  await page.getByText("You were signed in as ada.").waitFor();
  await page.getByLabel("Token").fill(await server.token({ ttlSeconds: 7_200 }));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Query" }).waitFor();
  app.expectProblems(/status of 401/);
});

test("a token that the server refuses ends the session", async () => {
  await using other = await openApp(browser, { token: false });
  await using app = await openApp(browser, { token: false });
  const { page } = app;
  await page.getByLabel("Token").fill(await other.server.token());
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "The server does not accept your token" }).waitFor();
  await page.getByText("It names tester, but was not made for this server").waitFor();
  // The browser logs each answer with an error status.
  app.expectProblems(/status of 401/);
});

test("a link whose token has expired says so", async () => {
  await using app = await openApp(browser, { token: { ttlSeconds: -10 } });
  await app.page.getByRole("heading", { name: "Sign in" }).waitFor();
  await app.page.getByText("This token has expired.").waitFor();
  expect(app.page.url()).not.toContain("token");
  app.expectProblems(/status of 401/);
});

describe("a browser's clock that is wrong changes nothing", () => {
  test("two hours ahead: a token that holds signs in, is kept, and ends when the server's clock says so", async () => {
    let nowMs = Date.now();
    await using app = await openApp(browser, { clockAheadMs: 2 * HOUR_MS, app: { now: () => nowMs } });
    const { page, server } = app;
    await page.getByText("Nobody is here yet.").waitFor();
    await page.reload();
    await page.getByText("Nobody is here yet.").waitFor();
    await page.clock.fastForward(HOUR_MS / 2);
    await page.reload();
    await page.getByText("Nobody is here yet.").waitFor();
    await page.evaluate(`location.hash = "token=${await server.token({ subject: "eve" })}"`);
    await page.getByRole("button", { name: "Become eve" }).click();
    await expect.poll(() => page.locator(".who-name").textContent()).toBe("eve");

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token").fill(await server.token({ ttlSeconds: -10 }));
    await page.keyboard.press("Enter");
    await page.getByText("This token has expired.").waitFor();
    await page.getByLabel("Token").fill(await server.token());
    await page.keyboard.press("Enter");
    await page.getByText("Nobody is here yet.").waitFor();
    nowMs = Date.now() + HOUR_MS;
    await page.clock.fastForward(HOUR_MS);
    await page.getByRole("heading", { name: "Your session has expired" }).waitFor();
    app.expectProblems(/status of 401/);
  });

  test("two hours behind: a token that has expired does not sign in", async () => {
    await using app = await openApp(browser, { clockAheadMs: -2 * HOUR_MS, token: { ttlSeconds: -10 } });
    await app.page.getByRole("heading", { name: "This token has expired" }).waitFor();
    await app.page.getByText("It was for tester.").waitFor();
    app.expectProblems(/status of 401/);
  });

  test("ahead, and the server is away: the page says that it can't know", async () => {
    await using app = await openApp(browser, { clockAheadMs: 2 * HOUR_MS, token: false });
    const { page, server } = app;
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await server.app.close();
    await page.getByLabel("Token").fill(await server.token());
    await page.keyboard.press("Enter");
    await page.getByText("the server can't be asked").waitFor();
    app.expectProblems(SERVER_AWAY);
  });
});

// Chromium's behaviour for a site whose data is blocked.
const BLOCKED_STORAGE = `for (const name of ["sessionStorage", "localStorage", "indexedDB", "caches"]) {
  Object.defineProperty(window, name, {
    get() {
      throw new DOMException("Access is denied for this document.", "SecurityError");
    },
  });
}`;

test("without storage the session lives in memory: everything works, until the page is loaded again", async () => {
  await using app = await openApp(browser, { initScript: BLOCKED_STORAGE });
  const { page } = app;
  // The control: there is no storage.
  expect(await page.evaluate("(() => { try { sessionStorage } catch ({ name }) { return name } })()")).toBe(
    "SecurityError",
  );
  await app.createUsers(1);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByText("Your browser stores nothing for this page").waitFor();
  await page.getByLabel("Token").fill(await app.server.token());
  await page.keyboard.press("Enter");
  await page.getByText("Person 01", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Chat" }).click();
  await say(page, "hello");
  await page.getByText("Echo: hello", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("unsaved changes stay when the same person signs in again, also after a useless link", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const repository = openSqliteUserRepository({ path: ":memory:" });
  const { update } = repository;
  repository.update = (...change) => held.then(() => update.apply(repository, change));
  let nowMs = Date.now();
  await using app = await openApp(browser, { app: { repository, now: () => nowMs }, clockAheadMs: 0 });
  const { page, server } = app;
  await app.createUsers(1);
  await act(page, "Edit…", "Person 01");
  await page.getByLabel("Name", { exact: true }).fill("Ada");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Saving Ada…").waitFor();
  nowMs = Date.now() + HOUR_MS;
  await page.clock.fastForward(HOUR_MS);
  await page.getByRole("heading", { name: "Your session has expired" }).waitFor();
  await server.app.close();
  release();
  await page.evaluate("location.hash = 'token=nonsense'");
  await page.getByText("The link is broken").waitFor();
  await page.getByRole("heading", { name: "Your session has expired" }).waitFor();
  await page.getByLabel("Token").fill(await server.token({ ttlSeconds: 7_200 }));
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Edit Person 01" }).waitFor();
  expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Ada");
  app.expectProblems(/ERR_|status of (?:401|503)/);
});

test("the next person sees nothing of the previous one", async () => {
  await using app = await openApp(browser);
  const { page, server } = app;
  await app.createUsers(1);
  await page.getByText("Person 01", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").fill(await server.token({ scopes: ["streams"] }));
  await page.keyboard.press("Enter");
  await page.getByText("missing scope users:read").waitFor();
  expect(await page.locator(".visually-hidden[role=status]").textContent()).toBe("");
  expect(await page.getByText("Person 01").count()).toBe(0);
  app.expectProblems(/status of 403/);
});

/** Counts the refusals that a page has read and, a turn later, has acted on. */
const NOTE_REFUSALS = `globalThis.refusalsRead = 0;
const { json } = Response.prototype;
Response.prototype.json = function () {
  return json.call(this).finally(() => setTimeout(() => (refusalsRead += this.status === 401)));
};`;

describe("a link in a tab where somebody is signed in", () => {
  const follow = async (app: OpenApp, token: Partial<MintOptions>) =>
    app.page.evaluate(`location.hash = "token=${await app.server.token(token)}"`);

  test("replaces their session only when they agree, and no call goes on in another's name", async () => {
    await using app = await openApp(browser, { path: "/chat" });
    const { page, server } = app;
    await say(page, "hello");
    await page.getByText("Echo: hello", { exact: true }).waitFor();
    await follow(app, { subject: "eve" });
    await page.getByRole("button", { name: "Stay tester" }).click();
    expect(await page.locator(".who-name").textContent()).toBe("tester");
    await say(page, "still me");
    await page.getByText("Echo: still me", { exact: true }).waitFor();
    await follow(app, { subject: "eve" });
    await page.getByRole("button", { name: "Become eve" }).click();
    await expect.poll(() => page.locator(".who-name").textContent()).toBe("eve");
    expect(await page.getByText("still me").count()).toBe(0);
    expect(page.url()).not.toContain("token");
    const calls = () => server.log.filter(({ msg }) => msg === "call");
    await expect.poll(calls).toMatchObject([{ code: "canceled", principal: "tester" }]);
  });

  test("counts only if it is the last, whichever the server answers first", async () => {
    await using app = await openApp(browser, { initScript: NOTE_REFUSALS });
    const { page } = app;
    await page.getByText("Nobody is here yet.").waitFor();
    const held = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await page.route(/ListUsers/, async (route) => {
      asked.resolve();
      await held.promise;
      await route.continue();
    });
    await follow(app, { subject: "eve", ttlSeconds: -1 });
    await asked.promise;
    await follow(app, { subject: "grace" });
    const become = page.getByRole("button", { name: "Become grace" });
    await become.waitFor();
    expect(await page.evaluate("refusalsRead")).toBe(0);
    held.resolve();
    await expect.poll(() => page.evaluate("refusalsRead")).toBe(1);
    await become.click();
    await expect.poll(() => page.locator(".who-name").textContent()).toBe("grace");
    app.expectProblems(/status of 401/);
  });

  test("changes nothing if it has the current token, or none at all", async () => {
    await using app = await openApp(browser);
    const { page } = app;
    await page.getByText("Nobody is here yet.").waitFor();
    await page.evaluate("location.hash = 'token=' + sessionStorage.getItem('rollcall.token')");
    await page.evaluate("location.hash = 'token=nonsense'");
    await page.getByText("The link is broken").waitFor();
    expect(page.url()).not.toContain("nonsense");
    await page.getByRole("button", { name: "Close" }).click();
    await page.getByText("The link is broken").waitFor({ state: "detached" });
    expect(await page.getByText("The link that you followed").count()).toBe(0);
    const refusal = page.waitForResponse((response) => response.status() === 401);
    await follow(app, { subject: "eve", ttlSeconds: -1 });
    await expect.poll(() => page.url()).not.toContain("token");
    await refusal;
    expect(await page.getByText("The link that you followed").count()).toBe(0);
    // Give it another lifetime: two tokens made in the same second would otherwise be identical.
    await follow(app, { subject: "tester", ttlSeconds: 7_200 });
    await page.getByRole("button", { name: "Take the other" }).click();
    await expect.poll(() => page.getByText("The link that you followed").count()).toBe(0);
    await follow(app, { subject: "eve" });
    await page.getByText("The link that you followed").waitFor();
    await page.getByRole("button", { name: "Stay tester" }).click();
    await expect.poll(() => page.evaluate("document.activeElement.tagName")).toBe("MAIN");
    app.expectProblems(/status of 401/);
  });
});

test("a token is found in whatever people paste around it", async () => {
  await using app = await openApp(browser, { token: false });
  const { page, server } = app;
  const token = await server.token();
  for (const form of [
    "Bearer {}",
    "authorization: Bearer {}",
    '"{}"',
    "“{}”",
    "ROLLCALL_TOKEN={}",
    '-H "authorization: Bearer {}"',
  ]) {
    await page.getByLabel("Token").fill(form.replace("{}", token));
    await page.keyboard.press("Enter");
    await page.getByText("Nobody is here yet.").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  }
});

test("anything but a token in the tab's storage is ignored, and no call sends it", async () => {
  await using app = await openApp(browser);
  const { page, server } = app;
  await page.getByText("Nobody is here yet.").waitFor();
  await page.evaluate("sessionStorage['rollcall.token'] += '\\nx'");
  // The page that is signed in makes calls until it is gone.
  await page.goto("about:blank");
  const calls: string[] = [];
  page.on("request", (request) => {
    if (/\.v1\.\w+Service\//.test(request.url())) calls.push(request.url());
  });
  await page.goto(server.url);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(calls).toEqual([]);
  // The control: a sign-in makes such calls.
  await page.getByLabel("Token").fill(await server.token());
  await page.keyboard.press("Enter");
  await page.getByText("Nobody is here yet.").waitFor();
  expect(calls).not.toEqual([]);
});

test("each tab has a session of its own", async () => {
  await using app = await openApp(browser);
  await app.page.getByText("Nobody is here yet.").waitFor();
  const tab = await app.page.context().newPage();
  await tab.goto(app.server.url);
  await tab.getByRole("heading", { name: "Sign in" }).waitFor();
});
