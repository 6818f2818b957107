import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { DatabaseUnavailableError, InvalidArgumentError } from "@rollcall/server";
import { connectChromium } from "@rollcall/testing/chromium";
import { run } from "@rollcall/testing/run-program";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { expectCopied } from "./support/clipboard.ts";
import { openApp, SCHEMES, SERVER_AWAY } from "./support/open-app.ts";
import { act, fillForm, names, pager, refuseToFollow, repositoryWith, rows } from "./support/users-page.ts";

const browser = await connectChromium();

// With TLS, all requests of a page go to the server in the same way, so one test of writes is enough.
describe.each(SCHEMES)("over %s", (scheme) => {
  test("a user is created, changed, and deleted after a confirmation", async () => {
    await using app = await openApp(browser, { scheme });
    const { page } = app;
    await page.getByText("Nobody is here yet.").waitFor();
    await page.getByRole("button", { name: "New user" }).click();
    await fillForm(page, "Ada", "ada@example.com");
    await page.getByText("Ada was created.").waitFor();
    await act(page, "Edit…", "Ada");
    await fillForm(page, "Ada Lovelace", "ada@example.com");
    await page.getByText("Ada Lovelace was changed.").waitFor();
    await expect.poll(() => names(page)).toEqual(["Ada Lovelace"]);
    await act(page, "Delete…", "Ada Lovelace");
    await page.getByRole("alertdialog").getByRole("button", { name: "Cancel" }).click();
    await expect.poll(() => names(page)).toEqual(["Ada Lovelace"]);
    await act(page, "Delete…", "Ada Lovelace");
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Ada Lovelace was deleted.").waitFor();
    await page.getByText("Nobody is here yet.").waitFor();
  });
});

test("pages lead on and back, and a search narrows them", async () => {
  await using app = await openApp(browser, { path: "/users?size=10&order=create_time" });
  const { page } = app;
  await app.createUsers(23);
  await page.getByText("Person 10", { exact: true }).waitFor();
  await expect.poll(() => rows(page).count()).toBe(10);
  const next = pager(page, "Next");
  const previous = pager(page, "Previous");
  await expect.poll(() => previous.isDisabled()).toBe(true);
  await previous.focus();
  await page.keyboard.press("Enter");
  await page.getByText("Page 1", { exact: true }).first().waitFor();
  await next.click();
  await page.getByText("Person 20", { exact: true }).waitFor();
  const below = page.getByRole("navigation", { name: "Pages of users, below them" });
  await below.getByRole("button", { name: "Next" }).click();
  await page.getByText("Person 23", { exact: true }).waitFor();
  await expect.poll(() => names(page)).toEqual(["Person 21", "Person 22", "Person 23"]);
  await expect.poll(() => next.isDisabled()).toBe(true);
  await previous.click();
  await page.getByText("Person 11", { exact: true }).waitFor();
  await page.getByLabel("Per page").selectOption("25");
  await expect.poll(() => rows(page).count()).toBe(23);
  // There is nowhere to go from the only page.
  await below.waitFor({ state: "detached" });
  await page.getByLabel(/^Search/).fill("PERSON 2");
  await expect.poll(() => names(page)).toEqual(["Person 20", "Person 21", "Person 22", "Person 23"]);
  await page.getByLabel(/^Search/).fill("@example.com 21");
  await expect.poll(() => names(page)).toEqual(["Person 21"]);
  await page.getByLabel(/^Search/).fill("nobody");
  await page.getByText("Nobody's name or email has words that start with “nobody”.").waitFor();
});

describe("the form", () => {
  test("applies the contract's own rules, and sends nothing", async () => {
    await using app = await openApp(browser);
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
    await using app = await openApp(browser);
    const { page, server } = app;
    await app.createUsers(1);
    await act(page, "Edit…", "Person 01");
    await fillForm(page, "", "person01@example.com");
    await page.getByText("must not be empty").waitFor();
    expect(await page.getByLabel("Name", { exact: true }).getAttribute("aria-invalid")).toBe("true");
    expect(server.log.filter(({ method }) => method === "user.v1.UserService/UpdateUser")).toEqual([]);
  });

  test("shows the server's refusal at its field", async () => {
    const repository = repositoryWith((real) => ({
      insert: async (user, request) => {
        if (user.name !== "Root") return real.insert(user, request);
        throw new InvalidArgumentError("validation failed", [{ field: "name", description: "is reserved" }]);
      },
    }));
    await using app = await openApp(browser, { app: { repository } });
    const { page } = app;
    await app.createUsers(1);
    await page.getByRole("button", { name: "New user" }).click();
    await fillForm(page, "Root", "root@example.com");
    await page.getByText("is reserved").waitFor();
    expect(await page.getByLabel("Name", { exact: true }).getAttribute("aria-invalid")).toBe("true");
    await fillForm(page, "Ada", "PERSON01@example.com");
    await page.getByText("Email already in use.").waitFor();
    expect(await page.getByLabel("Email", { exact: true }).getAttribute("aria-invalid")).toBe("true");
    app.expectProblems(/status of (?:400|403|409|503)|ERR_/);
  });
});

test("to create can be closed while it waits, and the list shows the outcome", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const repository = repositoryWith((real) => ({
    insert(...user) {
      arrive();
      return held.then(() => real.insert(...user));
    },
  }));
  await using app = await openApp(browser, { app: { repository } });
  const { page } = app;
  await page.getByRole("button", { name: "New user" }).click();
  await fillForm(page, "Ada", "ada@example.com");
  await page.getByRole("button", { name: "Saving…" }).waitFor();
  // The call must have reached the server, or its outcome would be known.
  await arrived;
  await page.keyboard.press("Escape");
  await page.getByText("It is not known whether Ada was created.").waitFor();
  await page.getByText("Nobody is here yet.").waitFor();
  release();
  await page.reload();
  await page.getByText("Ada", { exact: true }).waitFor();
});

test("an empty directory shows how to fill it; who is added appears, and what is said about it goes", async () => {
  await using app = await openApp(browser, { clockAheadMs: 0 });
  const { page, server } = app;
  await page.getByText("Live", { exact: true }).waitFor();
  await page.locator(".first-run pre").nth(1).waitFor();
  const commands = await page.locator(".first-run pre").allInnerTexts();
  for (const width of [360, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await coveredCommands(page)).toEqual([]);
  }
  expect(commands[1]).toMatch(/rollcall --address http:\S+ users import -- 'users\.csv'$/);
  await run("sh", ["-c", `ROLLCALL_TOKEN=${await server.token()}\n${commands[0]}`]);
  await expect.poll(() => names(page)).toEqual(["Ada Lovelace"]);
  await page.getByRole("button", { name: "New user" }).click();
  await fillForm(page, "Grace", "grace@example.com");
  await page.getByText("Grace was created.").waitFor();
  await page.clock.fastForward(11_000);
  await page.getByText("Grace was created.").waitFor({ state: "detached" });
  // A problem stays visible until the view changes.
  await page.evaluate(
    "navigator.clipboard.writeText = () => Promise.reject(new Error()); document.execCommand = () => false",
  );
  await act(page, "Copy id", "Grace");
  await page.getByText("Not copied. The id of Grace is").waitFor();
  await page.clock.fastForward(11_000);
  await page.getByText("Not copied. The id of Grace is").waitFor();
  await page.getByLabel("Order").selectOption("Oldest first");
  await page.getByText("Not copied. The id of Grace is").waitFor({ state: "detached" });
});

describe("states", () => {
  test("a list that can't be loaded says why, and can be tried again", async () => {
    let isAway = true;
    const repository = repositoryWith((real) => ({
      list: (...query) => (isAway ? Promise.reject(new DatabaseUnavailableError()) : real.list(...query)),
      listEncoded: async () => undefined,
    }));
    await using app = await openApp(browser, { app: { repository } });
    const { page } = app;
    // A page that follows changes loads its list again by itself.
    await refuseToFollow(page);
    await page.reload();
    await page.getByText("The users can't be shown.").waitFor();
    isAway = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Nobody is here yet.").waitFor();
    app.expectProblems(/status of (?:400|403|409|503)|ERR_/);
  });

  test("a dialog opens although the server has gone; one that could not be loaded says so", async () => {
    await using app = await openApp(browser);
    const { page, server } = app;
    await refuseToFollow(page);
    await app.createUsers(1);
    await page.getByText("Person 01", { exact: true }).waitFor();
    // Chromium reports a mouse's first movement with no distance, as it does when a page appears below a mouse.
    await page.mouse.move(10, 10, { steps: 2 });
    const loaded = () =>
      page.evaluate<string>("performance.getEntriesByType('resource').map(({ name }) => name).join()");
    await expect.poll(loaded).toMatch(/\/dialogs-[^,]*\.js/);
    await page.waitForLoadState("networkidle");
    await using late = await openApp(browser);
    await late.page.getByText("Nobody is here yet.").waitFor();
    await late.page.evaluate("addEventListener = () => {}");
    for (const one of [server, late.server]) await one.app.close();
    await page.getByRole("button", { name: "New user" }).click();
    await page.getByRole("dialog").waitFor();
    await late.page.getByRole("button", { name: "New user" }).click();
    await late.page.getByText("This part of the app can't be loaded.").waitFor();
    await late.page.getByRole("heading", { name: "Users" }).waitFor();
    // The dialog that opened has loaded the contract's rules.
    for (const { expectProblems } of [app, late]) expectProblems(SERVER_AWAY);
  });

  test("the list keeps its place while it loads", async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const repository = repositoryWith((real) => ({
      list: (...query) => held.then(() => real.list(...query)),
      listEncoded: async () => undefined,
    }));
    await using app = await openApp(browser, { app: { repository } });
    await expect.poll(() => app.page.locator("tbody tr.placeholder").count()).toBe(12);
    expect(await app.page.getByRole("table").getAttribute("aria-busy")).toBe("true");
    release();
    await app.page.getByText("Nobody is here yet.").waitFor();
  });

  test("a person who may only read sees no button that writes", async () => {
    await using app = await openApp(browser, { token: { scopes: ["users:read"] } });
    await app.createUsers(1);
    await app.page.getByText("Person 01", { exact: true }).waitFor();
    expect(await app.page.getByRole("button", { name: "New user" }).count()).toBe(0);
    await app.page.getByRole("button", { name: "Actions for Person 01" }).click();
    await expect.poll(() => app.page.getByRole("menuitem").allInnerTexts()).toEqual(["Copy id"]);
    await app.page.keyboard.press("Escape");
    await app.page.getByLabel("Select Person 01").check();
    const selected = app.page.getByRole("region", { name: "Selected users" });
    await expect.poll(() => selected.getByRole("button").allInnerTexts()).toEqual(["Copy emails", "Clear"]);
  });

  test("a person who may not even read sees which scope is missing", async () => {
    await using app = await openApp(browser, { token: { scopes: ["streams"] } });
    await app.page.getByText("Your token does not allow this: missing scope users:read.").waitFor();
    app.expectProblems(/status of (?:400|403|409|503)|ERR_/);
  });

  test("ids are copied, times are relative and exact", async () => {
    await using app = await openApp(browser, {
      context: { permissions: ["clipboard-read", "clipboard-write"] },
    });
    const { page } = app;
    await app.createUsers(1);
    const [user] = (await createClient(UserService, app.transport).listUsers({})).users;
    const copy = async () => {
      await act(page, "Copy id", "Person 01");
      await page.getByText("The id of Person 01 was copied.").waitFor();
    };
    await expectCopied(page, copy, user?.id ?? expect.fail());
    expect(await page.locator("time").first().textContent()).toMatch(/^just now\s.*20\d\d/);
    await page.evaluate(
      "navigator.clipboard.writeText = () => Promise.reject(new Error('no clipboard')); document.execCommand = () => false",
    );
    await act(page, "Copy id", "Person 01");
    await page.getByText(`Not copied. The id of Person 01 is ${user?.id}.`).waitFor();
  });
});

/** Returns the commands of the first page that can't be read whole, since they are cut off or lie below their button. */
function coveredCommands(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`[...document.querySelectorAll(".first-run pre")].filter((pre) => {
    const text = pre.getBoundingClientRect();
    const button = pre.closest(".step").querySelector(".copy").getBoundingClientRect();
    const isCovered = button.bottom > text.top && button.top < text.bottom && button.left < text.right;
    const box = pre.parentElement;
    return isCovered || pre.scrollWidth > pre.clientWidth || box.scrollWidth > box.clientWidth;
  }).map((pre) => pre.innerText)`);
}
