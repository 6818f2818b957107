import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { connectChromium } from "@rollcall/testing/chromium";
import { run } from "@rollcall/testing/run-program";
import type { TestServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { openApp } from "./support/open-app.ts";
import { fact, panel } from "./support/stream-pages.ts";
import { act, choose, fillForm, names, pager } from "./support/users-page.ts";

const browser = await connectChromium();

describe("the view", () => {
  const asked = (server: TestServer) =>
    server.log.filter(({ msg, method }) => msg === "call" && method === "user.v1.UserService/ListUsers").length;

  test("is kept through a reload, and the browser's own buttons lead through it", async () => {
    await using app = await openApp(browser, { path: "/users?size=10&order=create_time" });
    const { page } = app;
    await app.createUsers(12);
    await pager(page, "Next").click();
    await page.getByText("Person 12", { exact: true }).waitFor();
    await page.reload();
    await page.getByText("Page 2", { exact: true }).first().waitFor();
    await page.getByText("Person 12", { exact: true }).waitFor();
    await expect.poll(() => page.url()).toMatch(/\/users\?order=create_time&size=10&page=2&after=[\w-]+$/);
    const address = page.url();
    await page.goBack();
    await page.getByText("Person 01", { exact: true }).waitFor();
    await page.goForward();
    await page.getByText("Person 12", { exact: true }).waitFor();
    const search = page.getByLabel(/^Search/);
    await search.fill("person 03");
    await expect.poll(() => names(page)).toEqual(["Person 03"]);
    await expect.poll(() => page.url()).toBe(`${app.server.url}/users?q=person+03&order=create_time&size=10`);
    await page.goBack();
    await page.getByText("Person 01", { exact: true }).waitFor();
    await expect.poll(() => search.inputValue()).toBe("");
    // Opened like a link that somebody else has sent.
    await page.goto(`${app.server.url}/users?q=person+1&size=25`);
    await expect.poll(() => names(page)).toEqual(["Person 12", "Person 11", "Person 10"]);
    expect(await search.inputValue()).toBe("person 1");
    expect(await page.getByLabel("Per page").inputValue()).toBe("25");
    // The same holds for a later page. From there, only the first page is known.
    await page.goto(address.replace("page=2", "page=7"));
    await page.getByText("Page 7", { exact: true }).first().waitFor();
    await expect.poll(() => names(page)).toEqual(["Person 11", "Person 12"]);
    await pager(page, "First").click();
    await page.getByText("Person 01", { exact: true }).waitFor();
  });

  test("stays after a skip to the content, and offers the first page if this one is empty", async () => {
    await using app = await openApp(browser, { path: "/users?size=10&order=create_time" });
    const { page } = app;
    await app.createUsers(11);
    await pager(page, "Next").click();
    await page.getByText("Person 11", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Skip to content" }).focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => page.evaluate("document.activeElement.id")).toBe("main");
    await page.getByText("Page 2", { exact: true }).first().waitFor();
    await act(page, "Delete…", "Person 11");
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Nobody is on this page any more.").waitFor();
    await page.getByRole("button", { name: "First page" }).click();
    await page.getByText("Person 01", { exact: true }).waitFor();
    await expect.poll(() => page.evaluate("document.activeElement.textContent")).toBe("Users");
  });

  test("leads to a new user, who is on its last page", async () => {
    await using app = await openApp(browser, { path: "/users?size=10&order=create_time" });
    const { page } = app;
    await app.createUsers(11);
    await page.getByRole("button", { name: "New user" }).click();
    await fillForm(page, "  Zoe ", " zoe@example.com\t");
    await page.getByText("Zoe was created.").waitFor();
    expect(await page.getByText("Zoe", { exact: true }).count()).toBe(0);
    await page.getByRole("button", { name: "Show" }).click();
    await expect.poll(() => names(page)).toEqual(["Zoe"]);
  });

  test("is one call, which a panel shows, and how to make it from a terminal", async () => {
    await using app = await openApp(browser);
    const { page, server } = app;
    await app.createUsers(2);
    await choose(page, "Show the call");
    await expect.poll(() => fact(page, "Messages")).toBe("1 sent, 1 received");
    expect(await fact(page, "Method")).toBe("user.v1.UserService/ListUsers");
    await page.getByLabel("Order").selectOption("Name, A to Z");
    await expect.poll(() => names(page)).toEqual(["Person 01", "Person 02"]);
    await expect.poll(() => fact(page, "State")).toBe("ok");
    for (const tool of ["curl", "buf curl", "rollcall"]) {
      await page.getByRole("tab", { name: tool, exact: true }).click();
      const command = await panel(page)
        .getByRole("region", { name: `${tool} command`, exact: true })
        .textContent();
      const { stdout } = await run("sh", ["-c", `export ROLLCALL_TOKEN=${await server.token()}\n${command}`]);
      expect(stdout).toMatch(/person01@example.com[\s\S]*person02@example.com/);
    }
    await choose(page, "Hide the call");
    await panel(page).waitFor({ state: "detached" });
  });

  test("searches once a word, not once a key", async () => {
    await using app = await openApp(browser, { clockAheadMs: 0 });
    const { page, server } = app;
    await app.createUsers(3);
    await page.getByText("Person 03", { exact: true }).waitFor();
    // The page's clock stands still between two keys, even on a slow machine.
    await page.clock.pauseAt(Date.now() + 60_000);
    const before = asked(server);
    await page.getByLabel(/^Search/).pressSequentially("person 02");
    await page.clock.resume();
    await expect.poll(() => names(page)).toEqual(["Person 02"]);
    // A search at every key would make nine calls, and the jump of the clock has made one.
    expect(asked(server) - before).toBeLessThan(6);
  });

  test("of a page that no longer exists leads to the first one", async () => {
    await using app = await openApp(browser);
    const { page } = app;
    await app.createUsers(1);
    await page.goto(`${app.server.url}/users?page=2&after=of-another-server`);
    await page.getByText("The users can't be shown. Invalid page token.").waitFor();
    await page.getByRole("button", { name: "First page" }).click();
    await page.getByText("Person 01", { exact: true }).waitFor();
    app.expectProblems(/status of (?:400|403|409|503)|ERR_/);
  });

  test("is sorted by a click on a column, or by the list of orders, and says how many there are", async () => {
    await using app = await openApp(browser);
    const { page } = app;
    const users = createClient(UserService, app.transport);
    for (const [name, email] of [
      ["Beta", "z@example.com"],
      ["Alpha", "y@example.com"],
      ["Gamma", "x@example.com"],
    ] as const) {
      await users.createUser({ name, email });
    }
    await expect.poll(() => names(page)).toEqual(["Gamma", "Alpha", "Beta"]);
    await page.getByText("3 users", { exact: true }).waitFor();
    const sorted = () =>
      page.locator("th[aria-sort]").evaluateAll((heads) => heads.map((th) => [th.textContent, th.ariaSort]));
    await expect.poll(sorted).toEqual([["Created↓", "descending"]]);
    for (const [column, expected, direction] of [
      ["Name", ["Alpha", "Beta", "Gamma"], "ascending"],
      ["Name", ["Gamma", "Beta", "Alpha"], "descending"],
      ["Email", ["Gamma", "Alpha", "Beta"], "ascending"],
    ] as const) {
      await page.getByRole("columnheader", { name: column }).getByRole("button").click();
      await expect.poll(() => names(page)).toEqual(expected);
      await expect.poll(async () => (await sorted())[0]?.[1]).toBe(direction);
    }
    await expect.poll(() => page.url()).toBe(`${app.server.url}/users?order=email`);
    await page.getByLabel("Order").selectOption("Changed last");
    const [first] = (await users.listUsers({ filter: "Beta" })).users;
    await expect.poll(() => names(page)).toEqual(["Gamma", "Alpha", "Beta"]);
    await page.getByText("Live", { exact: true }).waitFor();
    // In the order by changes, a change by somebody else moves the user.
    await users.updateUser({ id: first?.id ?? "", name: "Beta 2" });
    await expect.poll(() => names(page)).toEqual(["Beta 2", "Gamma", "Alpha"]);
    await page.getByRole("columnheader", { name: "Changed" }).waitFor();
  });
});
