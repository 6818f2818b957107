import { connectChromium } from "@rollcall/testing/chromium";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { openApp } from "./support/open-app.ts";
import { button, say } from "./support/stream-pages.ts";
import { pager } from "./support/users-page.ts";

const browser = await connectChromium();

const focused = (page: Page) => page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent");

const isRadio = (page: Page) => page.evaluate('document.activeElement.type === "radio"');
/** Waits until an open dialog has taken the focus, which takes a moment. A key before that would go elsewhere. */
const focusEnters = (page: Page) =>
  expect.poll(() => page.evaluate("document.activeElement.closest('[role$=dialog]') !== null")).toBe(true);

async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 40; presses++) {
    if ((await focused(page)) === name) return;
    await page.keyboard.press("Tab");
  }
  expect.fail(`${name} is not reached with Tab`);
}

test("the keyboard is enough to create, edit and delete", async () => {
  await using app = await openApp(browser);
  const { page } = app;
  const { keyboard } = page;
  await button(page, "New user").waitFor();
  await keyboard.press("Tab");
  expect(await focused(page)).toBe("Skip to content");
  await tabTo(page, "New user");
  await keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await expect.poll(() => page.evaluate("document.activeElement.tagName")).toBe("INPUT");
  await keyboard.type("Ada");
  await keyboard.press("Tab");
  await keyboard.type("ada@example.com");
  await keyboard.press("Enter");
  await page.getByText("Ada was created.").waitFor();
  // The dialog gives the focus back to the button that opened it.
  await expect.poll(() => focused(page)).toBe("New user");
  await button(page, "Actions for Ada").waitFor();
  await tabTo(page, "Actions for Ada");
  // The exact date is shown in the row that has the focus.
  expect(await page.evaluate("getComputedStyle(document.querySelector('time .exact-time')).clipPath")).toBe("none");
  // Each key of a menu button leads where WAI-ARIA says.
  for (const [key, item] of [
    ["Enter", "Edit…"],
    ["ArrowUp", "Delete…"],
    ["ArrowDown", "Edit…"],
    ["End", "Delete…"],
    ["Home", "Edit…"],
    ["c", "Copy id"],
    ["Escape", "Actions for Ada"],
    ["ArrowUp", "Delete…"],
    ["Escape", "Actions for Ada"],
    ["ArrowDown", "Edit…"],
  ] as const) {
    await keyboard.press(key);
    await expect.poll(() => focused(page), { message: key }).toBe(item);
  }
  await keyboard.press("Tab");
  await page.getByRole("menu").waitFor({ state: "detached" });
  await button(page, "Actions for Ada").focus();
  await keyboard.press("Enter");
  await expect.poll(() => focused(page)).toBe("Edit…");
  await keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await focusEnters(page);
  await keyboard.press("Escape");
  await expect.poll(() => focused(page)).toBe("Actions for Ada");
  await keyboard.press("ArrowUp");
  await expect.poll(() => focused(page)).toBe("Delete…");
  await keyboard.press("Enter");
  await page.getByRole("alertdialog").waitFor();
  await focusEnters(page);
  await tabTo(page, "Delete");
  await keyboard.press("Enter");
  await page.getByText("Nobody is here yet.").waitFor();
  // The user's button has gone with the user.
  await expect.poll(() => focused(page)).toBe("Users");
});

test("the keyboard is enough to import and to export", async () => {
  await using app = await openApp(browser);
  const { page } = app;
  const { keyboard } = page;
  const choose = async (letter: string, item: string) => {
    await tabTo(page, "More");
    await keyboard.press("Enter");
    await expect.poll(() => focused(page)).toBe("Import…");
    await keyboard.press(letter);
    await expect.poll(() => focused(page)).toBe(item);
    await keyboard.press("Enter");
  };
  await app.createUsers(1);
  await page.getByText("Person 01", { exact: true }).waitFor();
  // Wait for the chooser from the start: a key pressed at once could come before the browser reports choosers.
  const chooser = page.waitForEvent("filechooser");
  await choose("i", "Import…");
  const importing = page.getByRole("dialog", { name: "Import users" });
  await focusEnters(page);
  await tabTo(page, "Choose a file");
  await keyboard.press("Enter");
  const buffer = Buffer.from("email,name\nada@example.com,Ada\nnonsense,Nobody\n");
  await (await chooser).setFiles({ name: "users.csv", mimeType: "", buffer });
  await page.getByText("Done: 1 created, 0 skipped, 1 failed.").waitFor();
  // The list of faults scrolls, so Tab stops at it.
  await tabTo(page, "Lines that failed");
  await keyboard.press("Escape");
  await importing.waitFor({ state: "detached" });
  await expect.poll(() => focused(page)).toBe("More");
  await page.getByRole("link", { name: "Ada", exact: true }).waitFor();

  await choose("e", "Export…");
  const exporting = page.getByRole("dialog", { name: "Export users" });
  await focusEnters(page);
  for (let presses = 0; presses < 10 && !(await isRadio(page)); presses++) await keyboard.press("Tab");
  await keyboard.press("ArrowDown");
  await expect.poll(() => page.getByLabel("JSON Lines").isChecked()).toBe(true);
  const download = page.waitForEvent("download");
  await tabTo(page, "Export");
  await keyboard.press("Enter");
  expect((await download).suggestedFilename()).toBe("users.jsonl");
  await page.getByText("2 users were exported to users.jsonl.").waitFor();
  await exporting.waitFor({ state: "detached" });
  await expect.poll(() => focused(page)).toBe("More");
  app.expectProblems(/status of 400/);
});

test("slash leads to the search, and Ctrl-K to a palette of pages, actions and users", async () => {
  await using app = await openApp(browser);
  const { page } = app;
  const { keyboard } = page;
  await app.createUsers(3);
  await page.getByText("Person 03", { exact: true }).waitFor();
  await keyboard.press("/");
  await expect.poll(() => page.evaluate("document.activeElement.type")).toBe("search");
  // In a field, the key types a character.
  await keyboard.type("a/");
  expect(await page.getByLabel(/^Search/).inputValue()).toBe("a/");
  const palette = page.getByRole("dialog", { name: "Go to" });
  const openPalette = async (keys: string) => {
    await keyboard.press(keys);
    await palette.waitFor();
    await focusEnters(page);
  };
  const chosen = page.getByRole("option", { selected: true });
  await openPalette("Control+k");
  await keyboard.type("02");
  await expect.poll(() => chosen.allInnerTexts()).toEqual([expect.stringContaining("person02@example.com")]);
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: "Person 02" }).waitFor();
  await openPalette("Meta+k");
  await keyboard.press("ArrowUp");
  await expect.poll(() => chosen.allInnerTexts()).toEqual([expect.stringContaining("Sign out")]);
  await keyboard.press("ArrowDown");
  await expect.poll(() => chosen.allInnerTexts()).toEqual([expect.stringContaining("Users")]);
  await keyboard.type("cha");
  await expect.poll(() => chosen.allInnerTexts()).toEqual([expect.stringContaining("Chat")]);
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: "Chat" }).waitFor();
  await openPalette("Control+k");
  await keyboard.type("new");
  await expect.poll(() => chosen.allInnerTexts()).toEqual([expect.stringContaining("New user")]);
  await keyboard.press("Enter");
  await page.getByRole("dialog", { name: "New user" }).waitFor();
  await focusEnters(page);
  // Text that was typed into a form stays.
  await keyboard.press("Control+k");
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await openPalette("Control+k");
  await keyboard.press("Escape");
  await palette.waitFor({ state: "detached" });
});

describe("a button that can't be used any more keeps the focus", () => {
  test("the button that runs a query; a disabled one would lose it", async () => {
    await using app = await openApp(browser, { path: "/query", app: { streams: { resultIntervalMs: 600_000 } } });
    const { page } = app;
    await button(page, "Run").focus();
    await page.keyboard.press("Enter");
    await page.getByText("Result 0").waitFor();
    expect(await focused(page)).toBe("Run");
    // No second query starts while the first one runs.
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByText("Canceled. 1 result until then.").waitFor();
    expect(await focused(page)).toBe("Cancel");
    await page.evaluate("document.activeElement.disabled = true");
    await expect.poll(() => page.evaluate("document.activeElement.tagName")).toBe("BODY");
  });

  test("the buttons of a conversation", async () => {
    await using app = await openApp(browser, { path: "/chat" });
    const { page } = app;
    await say(page, "hello");
    await page.getByText("Echo: hello", { exact: true }).waitFor();
    await tabTo(page, "End");
    await page.keyboard.press("Enter");
    await page.getByText("The conversation has ended.").waitFor();
    expect(await focused(page)).toBe("End");
  });

  test("the buttons of an upload", async () => {
    await using app = await openApp(browser, { path: "/upload" });
    const { page } = app;
    // Wait before the focus moves: a key pressed at once could come before the button is ready.
    const chooser = page.waitForEvent("filechooser");
    await button(page, "Choose a file").focus();
    await page.keyboard.press("Enter");
    await (await chooser).setFiles({ name: "file.bin", mimeType: "", buffer: Buffer.alloc(5_000_000) });
    await page.getByText("✓ The server received exactly this file.").waitFor();
    expect(await focused(page)).toBe("Choose a file");
  });

  test("the button that turns to the next page", async () => {
    await using app = await openApp(browser, { path: "/users?size=10&order=create_time" });
    const { page } = app;
    await app.createUsers(11);
    await page.getByText("Person 10", { exact: true }).waitFor();
    await pager(page, "Next").focus();
    await page.keyboard.press("Enter");
    await page.getByText("Person 11", { exact: true }).waitFor();
    await expect.poll(() => pager(page, "Next").isDisabled()).toBe(true);
    expect(await focused(page)).toBe("Next");
  });
});
