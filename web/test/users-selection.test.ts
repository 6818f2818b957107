import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { connectChromium } from "@rollcall/testing/chromium";
import { expect, test } from "vitest";
import { expectCopied } from "./support/clipboard.ts";
import { openApp } from "./support/open-app.ts";
import { button } from "./support/stream-pages.ts";
import { names } from "./support/users-page.ts";

const browser = await connectChromium();

test("several users are selected, copied and deleted at once, which can be undone for a while", async () => {
  await using app = await openApp(browser, {
    clockAheadMs: 0,
    context: { permissions: ["clipboard-read", "clipboard-write"] },
  });
  const { page } = app;
  await app.createUsers(6);
  const users = createClient(UserService, app.transport);
  const box = (name: string) => page.getByLabel(`Select ${name}`, { exact: true });
  const person = (...numbers: number[]) => numbers.map((number) => `Person 0${number}`);
  await expect.poll(() => names(page)).toEqual(person(6, 5, 4, 3, 2, 1));
  await box("Person 05").check();
  await box("Person 03").click({ modifiers: ["Shift"] });
  await page.getByText("3 selected", { exact: true }).last().waitFor();
  const copy = async () => {
    await button(page, "Copy emails").click();
    await page.getByText("3 emails were copied.").waitFor();
  };
  await expectCopied(page, copy, "person05@example.com, person04@example.com, person03@example.com");
  const all = box("all of this page");
  expect(await page.evaluate("document.querySelector('thead input').indeterminate")).toBe(true);

  await button(page, "Delete").click();
  await page.getByText("3 users will be deleted.").waitFor();
  await expect.poll(() => names(page)).toEqual(person(6, 2, 1));
  await button(page, "Undo").click();
  await page.getByText("3 users kept.").waitFor();
  await expect.poll(() => names(page)).toEqual(person(6, 5, 4, 3, 2, 1));
  await all.check();
  await page.getByText("6 selected", { exact: true }).last().waitFor();
  // The keyboard alone can clear the selection, too.
  await page.keyboard.press("Escape");
  await page.getByRole("region", { name: "Selected users" }).waitFor({ state: "detached" });

  await box("Person 05").check();
  await box("Person 04").check();
  await button(page, "Delete").click();
  await page.getByText("2 users will be deleted.").waitFor();
  const [stale] = (await users.listUsers({ filter: "person04" })).users;
  await users.updateUser({ id: stale?.id ?? "", name: "Theirs" });
  await page.clock.fastForward(9_000);
  await page.getByText(/^1 of 2 users were deleted. Person 04 was not: User was changed by someone else./).waitFor();
  await expect.poll(() => names(page)).toEqual(["Person 06", "Theirs", ...person(3, 2, 1)]);
  app.expectProblems(/status of 409/);

  // A person who leaves the page can't undo it any more.
  await box("Person 06").check();
  await button(page, "Delete").click();
  await page.getByText("1 user will be deleted.").waitFor();
  expect((await users.listUsers({ filter: "person06" })).users).toHaveLength(1);
  await page.getByRole("link", { name: "Chat" }).click();
  await expect.poll(async () => (await users.listUsers({ filter: "person06" })).users).toEqual([]);
});
