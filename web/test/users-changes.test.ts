import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { DatabaseUnavailableError } from "@rollcall/server";
import { connectChromium } from "@rollcall/testing/chromium";
import { describe, expect, test } from "vitest";
import { openApp } from "./support/open-app.ts";

import { act, fillForm, names, repositoryWith } from "./support/users-page.ts";

const browser = await connectChromium();

describe("a change", () => {
  test("is shown at once, and taken back when it fails", async () => {
    const { promise: failed, reject: fail } = Promise.withResolvers<never>();
    failed.catch(() => {});
    const repository = repositoryWith(() => ({ update: () => failed }));
    await using app = await openApp(browser, { app: { repository } });
    const { page } = app;
    await app.createUsers(1);
    await act(page, "Edit…", "Person 01");
    await fillForm(page, "Ada", "person01@example.com");
    await expect.poll(() => names(page)).toEqual(["Ada"]);
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByText("Saving Ada…").waitFor();
    // The user's version is not known yet; once it is, the user can be changed again.
    await page.getByRole("button", { name: "Actions for Ada" }).click();
    expect(await page.getByRole("menuitem", { name: "Edit…" }).isDisabled()).toBe(true);
    await page.keyboard.press("Escape");
    fail(new DatabaseUnavailableError());
    await page.getByText("The server is not available at the moment (database unavailable).").waitFor();
    await expect.poll(() => names(page)).toEqual(["Person 01"]);
    // The typed text is not lost.
    expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Ada");
    app.expectProblems(/status of (?:400|403|409|503)|ERR_/);
  });

  test("that the server refuses comes back with the error at its field, also on another page", async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const repository = repositoryWith((real) => ({ update: (...change) => held.then(() => real.update(...change)) }));
    await using app = await openApp(browser, { app: { repository } });
    const { page } = app;
    await app.createUsers(2);
    await act(page, "Edit…", "Person 01");
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
    await expect.poll(() => names(page)).toEqual(["Person 02", "Ada"]);
    await page.reload();
    await page.getByText("Ada", { exact: true }).waitFor();
    app.expectProblems(/status of (?:400|403|409|503)|ERR_/);
  });

  test("that fails while another form is open waits for it", async () => {
    const { promise: failed, reject: fail } = Promise.withResolvers<never>();
    failed.catch(() => {});
    const repository = repositoryWith((real) => ({
      update: (id, ...rest) => (rest[0].name === "Ada" ? failed : real.update(id, ...rest)),
    }));
    await using app = await openApp(browser, { app: { repository } });
    const { page } = app;
    await app.createUsers(2);
    await act(page, "Edit…", "Person 01");
    await fillForm(page, "Ada", "person01@example.com");
    await act(page, "Edit…", "Person 02");
    fail(new DatabaseUnavailableError());
    await page.getByText("It is not known whether Person 01 was changed.").waitFor();
    await fillForm(page, "Grace", "person02@example.com");
    await page.getByRole("dialog", { name: "Edit Person 01" }).waitFor();
    await expect.poll(() => names(page)).toEqual(["Grace", "Person 01"]);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    app.expectProblems(/status of (?:400|403|409|503)|ERR_/);
  });

  test("of a user that somebody else has changed shows both versions, and either can be kept", async () => {
    await using app = await openApp(browser);
    const { page } = app;
    await app.createUsers(1);
    const users = createClient(UserService, app.transport);
    const [user] = (await users.listUsers({})).users;
    if (!user) throw new Error("no user");
    const edit = async (name: string) => {
      await page.locator("tbody th").waitFor();
      await act(page, "Edit…", (await names(page))[0] ?? "");
      await page.getByRole("dialog").waitFor();
      await users.updateUser({ id: user.id, name: `${name} by somebody else`, email: `${name}@example.com` });
      await fillForm(page, `${name} by me`, await page.getByRole("dialog").getByLabel("Email").inputValue());
      await page.getByText("Somebody else changed this user while you did").waitFor();
      const version = (title: string) => page.getByRole("row", { name: title }).getByRole("cell").allInnerTexts();
      await expect.poll(() => version("Theirs, now")).toEqual([`${name} by somebody else`, `${name}@example.com`]);
      await expect.poll(() => version("Yours")).toEqual([`${name} by me`, "not changed"]);
    };
    await edit("First");
    await page.getByRole("button", { name: "Keep theirs" }).click();
    await expect.poll(() => names(page)).toEqual(["First by somebody else"]);
    await edit("Second");
    await page.getByRole("button", { name: "Save my changes" }).click();
    await expect.poll(() => names(page)).toEqual(["Second by me"]);
    // The field that I did not change stays as somebody else has changed it.
    const fields = { name: "Second by me", email: "Second@example.com" };
    // The page shows the change before the server has it.
    await expect.poll(async () => (await users.getUser({ id: user.id })).user).toMatchObject(fields);
    app.expectProblems(/status of (?:400|403|409|503)|ERR_/);
  });

  test("whose answer was lost is not taken for somebody else's", async () => {
    // The change is made, but its first answer is lost on its way.
    let isFirst = true;
    const repository = repositoryWith((real) => ({
      async update(...change) {
        const user = await real.update(...change);
        if (!isFirst) return user;
        isFirst = false;
        throw new DatabaseUnavailableError();
      },
    }));
    await using app = await openApp(browser, { app: { repository } });
    const { page } = app;
    await app.createUsers(1);
    await act(page, "Edit…", "Person 01");
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
    await using app = await openApp(browser);
    const { page, transport } = app;
    await app.createUsers(1);
    await act(page, "Delete…", "Person 01");
    const users = createClient(UserService, transport);
    const [user] = (await users.listUsers({})).users;
    await users.updateUser({ id: user?.id ?? "", name: "Changed" });
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Person 01 was not deleted. User was changed by someone else.").waitFor();
    await expect.poll(() => names(page)).toEqual(["Changed"]);
    app.expectProblems(/status of 409/);
  });

  test("that is a deletion comes back when the server has gone", async () => {
    await using app = await openApp(browser);
    const { page, server } = app;
    await app.createUsers(2);
    await act(page, "Delete…", "Person 01");
    // The dialog's code has been loaded by then.
    await page.getByRole("alertdialog").waitFor();
    await server.app.close();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("It is not known whether Person 01 was deleted. The server is not available").waitFor();
    await expect.poll(() => names(page)).toEqual(["Person 02", "Person 01"]);
    app.expectProblems(/status of (?:400|403|409|503)|ERR_/);
  });
});
