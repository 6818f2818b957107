import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DatabaseUnavailableError, InvalidArgumentError } from "../../server/src/domain/errors.ts";
import { openSqliteUserRepository } from "../../server/src/repository/sqlite-user-repository.ts";
import type { UserRepository } from "../../server/src/repository/user-repository.ts";
import type { TestServer } from "../../server/test/harness.ts";
import { launchChromium } from "../../test/chromium.ts";
import { openApp, SCHEMES } from "./open-app.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const rows = (page: Page) => page.locator("tbody tr:not(.placeholder)");
const names = (page: Page) => page.locator("tbody th").allInnerTexts();

/** A real repository, of which some methods behave as a test needs it. */
function repositoryWith(change: (real: UserRepository) => Partial<UserRepository>): UserRepository {
  const real = openSqliteUserRepository({ path: ":memory:" });
  const changed = change(real);
  return new Proxy(real, {
    get(target, name) {
      const source = name in changed ? changed : target;
      const value: unknown = Reflect.get(source, name);
      return typeof value === "function" ? value.bind(source) : value;
    },
  });
}

async function fillForm(page: Page, name: string, email: string): Promise<void> {
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Email", { exact: true }).fill(email);
  await page.getByRole("button", { name: "Save", exact: true }).click();
}

describe.each(SCHEMES)("over %s", (scheme) => {
  test("a user is created, changed, and deleted after a confirmation", async () => {
    await using app = await openApp(browser, { scheme });
    const { page } = app;
    await page.getByText("Nobody is here yet.").waitFor();
    await page.getByRole("button", { name: "New user" }).click();
    await fillForm(page, "Ada", "ada@example.com");
    await page.getByText("Ada was created.").waitFor();
    await page.getByRole("button", { name: "Edit Ada" }).click();
    await fillForm(page, "Ada Lovelace", "ada@example.com");
    await page.getByText("Ada Lovelace was changed.").waitFor();
    expect(await names(page)).toEqual(["Ada Lovelace"]);
    await page.getByRole("button", { name: "Delete Ada Lovelace" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Cancel" }).click();
    expect(await names(page)).toEqual(["Ada Lovelace"]);
    await page.getByRole("button", { name: "Delete Ada Lovelace" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Ada Lovelace was deleted.").waitFor();
    await page.getByText("Nobody is here yet.").waitFor();
  });

  test("pages lead on and back, and a search narrows them", async () => {
    await using app = await openApp(browser, { scheme });
    const { page } = app;
    await app.createUsers(23);
    await page.getByText("Person 10", { exact: true }).waitFor();
    expect(await rows(page).count()).toBe(10);
    const next = page.getByRole("button", { name: "Next" });
    const previous = page.getByRole("button", { name: "Previous" });
    expect(await previous.isDisabled()).toBe(true);
    await previous.focus();
    await page.keyboard.press("Enter");
    await page.getByText("Page 1", { exact: true }).waitFor();
    await next.click();
    await page.getByText("Person 20", { exact: true }).waitFor();
    await next.click();
    await page.getByText("Person 23", { exact: true }).waitFor();
    expect(await names(page)).toEqual(["Person 21", "Person 22", "Person 23"]);
    expect(await next.isDisabled()).toBe(true);
    await previous.click();
    await page.getByText("Person 11", { exact: true }).waitFor();
    await page.getByLabel("Per page").selectOption("25");
    await expect.poll(() => rows(page).count()).toBe(23);
    await page.getByLabel(/^Search/).fill("PERSON 2");
    await expect.poll(() => names(page)).toEqual(["Person 20", "Person 21", "Person 22", "Person 23"]);
    await page.getByLabel(/^Search/).fill("nobody");
    await page.getByText("Nobody's name or email starts with “nobody”.").waitFor();
  });
});

describe.each(SCHEMES)("the form, over %s", (scheme) => {
  test("refuses by the contract's own rules, and sends nothing", async () => {
    await using app = await openApp(browser, { scheme });
    const { page, server } = app;
    await page.getByRole("button", { name: "New user" }).click();
    await fillForm(page, "", "nonsense");
    await page.getByText("must not be empty").waitFor();
    await page.getByText("must be a valid email address").waitFor();
    const email = page.getByLabel("Email", { exact: true });
    expect(await email.getAttribute("aria-invalid")).toBe("true");
    expect(server.log.filter(({ method }) => method === "user.v1.UserService/CreateUser")).toEqual([]);
    await fillForm(page, "Ada", "ada@example.com");
    await page.getByText("Ada was created.").waitFor();
  });

  test("refuses a name that was emptied, on its field", async () => {
    await using app = await openApp(browser, { scheme });
    const { page, server } = app;
    await app.createUsers(1);
    await page.getByRole("button", { name: "Edit Person 01" }).click();
    await fillForm(page, "", "person01@example.com");
    await page.getByText("must not be empty").waitFor();
    expect(await page.getByLabel("Name", { exact: true }).getAttribute("aria-invalid")).toBe("true");
    expect(server.log.filter(({ method }) => method === "user.v1.UserService/UpdateUser")).toEqual([]);
  });

  test("puts what the server refuses on its field", async () => {
    const repository = repositoryWith((real) => ({
      insert: async (user, request) => {
        if (user.name !== "Root") return real.insert(user, request);
        throw new InvalidArgumentError("validation failed", [{ field: "name", description: "is reserved" }]);
      },
    }));
    await using app = await openApp(browser, { scheme, app: { repository } });
    const { page } = app;
    await app.createUsers(1);
    await page.getByRole("button", { name: "New user" }).click();
    await fillForm(page, "Root", "root@example.com");
    await page.getByText("is reserved").waitFor();
    expect(await page.getByLabel("Name", { exact: true }).getAttribute("aria-invalid")).toBe("true");
    await fillForm(page, "Ada", "PERSON01@example.com");
    await page.getByText("Email already in use.").waitFor();
    expect(await page.getByLabel("Email", { exact: true }).getAttribute("aria-invalid")).toBe("true");
    app.expectProblems(/status of (?:400|403|409|503)|ERR_CONNECTION_REFUSED/);
  });
});

test("to create can be left while it waits, and the list shows what came of it", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const repository = repositoryWith((real) => ({ insert: (...user) => held.then(() => real.insert(...user)) }));
  await using app = await openApp(browser, { app: { repository } });
  const { page } = app;
  await page.getByRole("button", { name: "New user" }).click();
  await fillForm(page, "Ada", "ada@example.com");
  await page.getByRole("button", { name: "Saving…" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("It is not known whether Ada was created.").waitFor();
  await page.getByText("Nobody is here yet.").waitFor();
  release();
  await page.reload();
  await page.getByText("Ada", { exact: true }).waitFor();
});

describe.each(SCHEMES)("a change, over %s", (scheme) => {
  test("is shown at once, and taken back when it fails", async () => {
    const { promise: failed, reject: fail } = Promise.withResolvers<never>();
    failed.catch(() => {});
    const repository = repositoryWith(() => ({ update: () => failed }));
    await using app = await openApp(browser, { scheme, app: { repository } });
    const { page } = app;
    await app.createUsers(1);
    await page.getByRole("button", { name: "Edit Person 01" }).click();
    await fillForm(page, "Ada", "person01@example.com");
    await expect.poll(() => names(page)).toEqual(["Ada"]);
    expect(await page.getByRole("dialog").count()).toBe(0);
    await page.getByText("Saving Ada…").waitFor();
    // Its version is not known yet: it can be changed again once it is.
    expect(await page.getByRole("button", { name: "Edit Ada" }).isDisabled()).toBe(true);
    fail(new DatabaseUnavailableError());
    await page.getByText("The server is not available at the moment (database unavailable).").waitFor();
    await expect.poll(() => names(page)).toEqual(["Person 01"]);
    // What was typed is not lost.
    expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Ada");
    app.expectProblems(/status of (?:400|403|409|503)|ERR_CONNECTION_REFUSED/);
  });

  test("that the server refuses comes back with what is wrong on its field, even to who has gone elsewhere", async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const repository = repositoryWith((real) => ({ update: (...change) => held.then(() => real.update(...change)) }));
    await using app = await openApp(browser, { scheme, app: { repository } });
    const { page } = app;
    await app.createUsers(2);
    await page.getByRole("button", { name: "Edit Person 01" }).click();
    await fillForm(page, "Ada", "PERSON02@example.com");
    await page.getByRole("link", { name: "Chat" }).click();
    await page.getByRole("heading", { name: "Chat" }).waitFor();
    release();
    await page.getByRole("link", { name: "Users" }).click();
    await page.getByText("Email already in use.").waitFor();
    const email = page.getByLabel("Email", { exact: true });
    expect(await email.getAttribute("aria-invalid")).toBe("true");
    await expect.poll(() => page.evaluate("document.activeElement.name")).toBe("email");
    await fillForm(page, "Ada", "ada@example.com");
    await page.getByText("Ada was changed.").waitFor();
    expect(await names(page)).toEqual(["Ada", "Person 02"]);
    await page.reload();
    await page.getByText("Ada", { exact: true }).waitFor();
    app.expectProblems(/status of (?:400|403|409|503)|ERR_CONNECTION_REFUSED/);
  });

  test("that fails while another form is open waits for it", async () => {
    const { promise: failed, reject: fail } = Promise.withResolvers<never>();
    failed.catch(() => {});
    const repository = repositoryWith((real) => ({
      update: (id, ...rest) => (rest[0].name === "Ada" ? failed : real.update(id, ...rest)),
    }));
    await using app = await openApp(browser, { scheme, app: { repository } });
    const { page } = app;
    await app.createUsers(2);
    await page.getByRole("button", { name: "Edit Person 01" }).click();
    await fillForm(page, "Ada", "person01@example.com");
    await page.getByRole("button", { name: "Edit Person 02" }).click();
    fail(new DatabaseUnavailableError());
    await page.getByText("It is not known whether Person 01 was changed.").waitFor();
    await fillForm(page, "Grace", "person02@example.com");
    await page.getByRole("dialog", { name: "Edit Person 01" }).waitFor();
    await expect.poll(() => names(page)).toEqual(["Person 01", "Grace"]);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    app.expectProblems(/status of (?:400|403|409|503)|ERR_CONNECTION_REFUSED/);
  });

  test("of what somebody else has changed shows both, and can be taken either way", async () => {
    await using app = await openApp(browser, { scheme });
    const { page } = app;
    await app.createUsers(1);
    const users = createClient(UserService, app.transport);
    const [user] = (await users.listUsers({})).users;
    if (!user) throw new Error("no user");
    const edit = async (name: string) => {
      await page.getByRole("button", { name: /^Edit / }).click();
      await page.getByRole("dialog").waitFor();
      await users.updateUser({ id: user.id, name: `${name} by somebody else`, email: `${name}@example.com` });
      await fillForm(page, `${name} by me`, await page.getByRole("dialog").getByLabel("Email").inputValue());
      await page.getByText("Somebody else changed this user while you did").waitFor();
      const version = (title: string) => page.getByRole("row", { name: title }).getByRole("cell").allInnerTexts();
      await expect.poll(() => version("Theirs, now")).toEqual([`${name} by somebody else`, `${name}@example.com`]);
      expect(await version("Yours")).toEqual([`${name} by me`, "not changed"]);
    };
    await edit("First");
    await page.getByRole("button", { name: "Keep theirs" }).click();
    await expect.poll(() => names(page)).toEqual(["First by somebody else"]);
    await edit("Second");
    await page.getByRole("button", { name: "Save my changes" }).click();
    await expect.poll(() => names(page)).toEqual(["Second by me"]);
    // What I did not change stays as somebody else has it.
    const fields = { name: "Second by me", email: "Second@example.com" };
    expect((await users.getUser({ id: user.id })).user).toMatchObject(fields);
    app.expectProblems(/status of (?:400|403|409|503)|ERR_CONNECTION_REFUSED/);
  });

  test("whose answer was lost is told from somebody else's", async () => {
    // The first answer is lost on its way, when the change has been made.
    let isFirst = true;
    const repository = repositoryWith((real) => ({
      async update(...change) {
        const user = await real.update(...change);
        if (!isFirst) return user;
        isFirst = false;
        throw new DatabaseUnavailableError();
      },
    }));
    await using app = await openApp(browser, { scheme, app: { repository } });
    const { page } = app;
    await app.createUsers(1);
    await page.getByRole("button", { name: "Edit Person 01" }).click();
    await fillForm(page, "Ada", "person01@example.com");
    await page.getByText("It is not known whether Person 01 was changed.").waitFor();
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("your change was saved, though its answer was lost").waitFor();
    await expect.poll(() => page.evaluate("document.activeElement.textContent")).toBe("Close");
    await page.getByRole("button", { name: "Close" }).click();
    await page.getByText("Ada was changed.").waitFor();
    await expect.poll(() => names(page)).toEqual(["Ada"]);
    app.expectProblems(/status of (?:409|503)/);
  });

  test("of a user that somebody else has changed does not delete, and shows the change", async () => {
    await using app = await openApp(browser, { scheme });
    const { page, transport } = app;
    await app.createUsers(1);
    await page.getByRole("button", { name: "Delete Person 01" }).click();
    const users = createClient(UserService, transport);
    const [user] = (await users.listUsers({})).users;
    await users.updateUser({ id: user?.id ?? "", name: "Changed" });
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Person 01 was not deleted. User was changed by someone else.").waitFor();
    await expect.poll(() => names(page)).toEqual(["Changed"]);
    app.expectProblems(/status of 409/);
  });

  test("that is a deletion comes back when the server has gone", async () => {
    await using app = await openApp(browser, { scheme });
    const { page, server } = app;
    await app.createUsers(2);
    await page.getByRole("button", { name: "Delete Person 01" }).click();
    await server.app.close();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("It is not known whether Person 01 was deleted. The server is not available").waitFor();
    expect(await names(page)).toEqual(["Person 01", "Person 02"]);
    app.expectProblems(/status of (?:400|403|409|503)|ERR_CONNECTION_REFUSED/);
  });
});

describe.each(SCHEMES)("the view, over %s", (scheme) => {
  const asked = (server: TestServer) =>
    server.log.filter(({ msg, method }) => msg === "call" && method === "user.v1.UserService/ListUsers").length;

  test("is kept through a reload, and the browser's own buttons lead through it", async () => {
    await using app = await openApp(browser, { scheme });
    const { page } = app;
    await app.createUsers(12);
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("Person 12", { exact: true }).waitFor();
    await page.reload();
    await page.getByText("Page 2", { exact: true }).waitFor();
    await page.getByText("Person 12", { exact: true }).waitFor();
    await page.goBack();
    await page.getByText("Person 01", { exact: true }).waitFor();
    await page.goForward();
    await page.getByText("Person 12", { exact: true }).waitFor();
    const search = page.getByLabel(/^Search/);
    await search.fill("person 03");
    await expect.poll(() => names(page)).toEqual(["Person 03"]);
    expect(page.url()).toBe(`${app.server.url}/users?q=person+03`);
    await page.goBack();
    await page.getByText("Person 01", { exact: true }).waitFor();
    expect(await search.inputValue()).toBe("");
    // As from a link that somebody else has sent.
    await page.goto(`${app.server.url}/users?q=person+1&size=25`);
    await expect.poll(() => names(page)).toEqual(["Person 10", "Person 11", "Person 12"]);
    expect(await search.inputValue()).toBe("person 1");
    expect(await page.getByLabel("Per page").inputValue()).toBe("25");
  });

  test("stays where it is for who skips to the content, and offers the first page where nobody is left", async () => {
    await using app = await openApp(browser, { scheme });
    const { page } = app;
    await app.createUsers(11);
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("Person 11", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Skip to content" }).focus();
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    await page.getByText("Page 2", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Delete Person 11" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Nobody is on this page any more.").waitFor();
    await page.getByRole("button", { name: "First page" }).click();
    await page.getByText("Person 01", { exact: true }).waitFor();
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Users");
  });

  test("leads to a new user, who is on its last page", async () => {
    await using app = await openApp(browser, { scheme });
    const { page } = app;
    await app.createUsers(11);
    await page.getByRole("button", { name: "New user" }).click();
    await fillForm(page, "  Zoe ", " zoe@example.com\t");
    await page.getByText("Zoe was created.").waitFor();
    expect(await page.getByText("Zoe", { exact: true }).count()).toBe(0);
    await page.getByRole("button", { name: "Show" }).click();
    await expect.poll(() => names(page)).toEqual(["Zoe"]);
  });

  test("asks once for a word, not once a key", async () => {
    await using app = await openApp(browser, { scheme });
    const { page, server } = app;
    await app.createUsers(3);
    await page.getByText("Person 03", { exact: true }).waitFor();
    const before = asked(server);
    await page.getByLabel(/^Search/).pressSequentially("person 02", { delay: 10 });
    await expect.poll(() => names(page)).toEqual(["Person 02"]);
    // A slow machine may pause between two keys; nine keys are nine words to who asks at each.
    expect(asked(server) - before).toBeLessThan(4);
  });

  test("of a page that is no longer to be had leads to the first", async () => {
    await using app = await openApp(browser, { scheme });
    const { page } = app;
    await app.createUsers(1);
    await page.evaluate("history.replaceState({ pageTokens: ['', 'of another server'] }, '')");
    await page.reload();
    await page.getByText("The users can't be shown. Invalid page token.").waitFor();
    await page.getByRole("button", { name: "First page" }).click();
    await page.getByText("Person 01", { exact: true }).waitFor();
    app.expectProblems(/status of (?:400|403|409|503)|ERR_CONNECTION_REFUSED/);
  });
});

describe.each(SCHEMES)("states, over %s", (scheme) => {
  test("a list that can't be had says why, and can be tried again", async () => {
    let isAway = true;
    const repository = repositoryWith((real) => ({
      list: (...query) => (isAway ? Promise.reject(new DatabaseUnavailableError()) : real.list(...query)),
    }));
    await using app = await openApp(browser, { scheme, app: { repository } });
    const { page } = app;
    await page.getByText("The users can't be shown.").waitFor();
    isAway = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Nobody is here yet.").waitFor();
    app.expectProblems(/status of (?:400|403|409|503)|ERR_CONNECTION_REFUSED/);
  });

  test("a dialog opens though the server has gone; one that could not be loaded says so", async () => {
    await using app = await openApp(browser, { scheme });
    const { page, server } = app;
    await app.createUsers(1);
    await page.getByText("Person 01", { exact: true }).waitFor();
    await page.mouse.move(10, 10);
    await page.waitForLoadState("networkidle");
    await using late = await openApp(browser, { scheme });
    await late.page.getByText("Nobody is here yet.").waitFor();
    await late.page.evaluate("addEventListener = () => {}");
    for (const one of [server, late.server]) await one.app.close();
    await page.getByRole("button", { name: "New user" }).click();
    await page.getByRole("dialog").waitFor();
    await late.page.getByRole("button", { name: "New user" }).click();
    await late.page.getByText("This part of the app can't be loaded.").waitFor();
    await late.page.getByRole("heading", { name: "Users" }).waitFor();
    // The dialog that opened has asked for the contract's rules.
    for (const { expectProblems } of [app, late]) expectProblems(/ERR_CONNECTION_REFUSED/);
  });

  test("while it loads, its place is kept", async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const repository = repositoryWith((real) => ({ list: (...query) => held.then(() => real.list(...query)) }));
    await using app = await openApp(browser, { scheme, app: { repository } });
    await expect.poll(() => app.page.locator("tbody tr.placeholder").count()).toBe(10);
    expect(await app.page.getByRole("table").getAttribute("aria-busy")).toBe("true");
    release();
    await app.page.getByText("Nobody is here yet.").waitFor();
  });

  test("who may only read sees no button that writes", async () => {
    await using app = await openApp(browser, { scheme, token: { scopes: ["users:read"] } });
    await app.createUsers(1);
    await app.page.getByText("Person 01", { exact: true }).waitFor();
    expect(await app.page.getByRole("button", { name: /New|Edit|Delete/ }).count()).toBe(0);
  });

  test("who may not even read is told which scope is missing", async () => {
    await using app = await openApp(browser, { scheme, token: { scopes: ["streams"] } });
    await app.page.getByText("Your token does not allow this: missing scope users:read.").waitFor();
    app.expectProblems(/status of (?:400|403|409|503)|ERR_CONNECTION_REFUSED/);
  });

  test("ids are copied, times are relative and exact", async () => {
    await using app = await openApp(browser, {
      scheme,
      context: { permissions: ["clipboard-read", "clipboard-write"] },
    });
    const { page } = app;
    await app.createUsers(1);
    await page.getByRole("button", { name: "Copy the id of Person 01" }).click();
    await page.getByText("Copied", { exact: true }).waitFor({ state: "attached" });
    const [user] = (await createClient(UserService, app.transport).listUsers({})).users;
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(user?.id);
    expect(await page.locator("time").first().textContent()).toMatch(/^just now\s.*20\d\d/);
    await page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error('no clipboard'))");
    await page.getByRole("button", { name: "Copy the id of Person 01" }).click();
    await page.getByText("Not copied").waitFor({ state: "attached" });
  });
});
