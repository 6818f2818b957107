import { connectChromium, INSECURE_HOST } from "@rollcall/testing/chromium";
import { expect, test } from "vitest";
import { openApp } from "./support/open-app.ts";
import { button, choose, say } from "./support/stream-pages.ts";
import { fillForm, names } from "./support/users-page.ts";

const browser = await connectChromium();

// Chromium ignores the header on pages that it does not trust, and logs that.
const IGNORED_HEADER = /Cross-Origin-Opener-Policy header has been ignored/;

test("every page works over plain http off localhost, without the APIs of secure contexts", async () => {
  await using app = await openApp(browser, { host: INSECURE_HOST });
  const { page } = app;
  // The control: this page has none of these APIs.
  expect(await page.evaluate("[isSecureContext, typeof crypto.randomUUID, typeof navigator.clipboard]")).toEqual([
    false,
    "undefined",
    "undefined",
  ]);

  await button(page, "New user").click();
  await fillForm(page, "Ada", "ada@example.com");
  await page.getByText("Ada was created.").waitFor();
  await expect.poll(() => names(page)).toEqual(["Ada"]);

  await page.getByRole("link", { name: "Query" }).click();
  await button(page, "Run").click();
  await page.getByText("10 results, complete.").waitFor();
  const pasted = async () => {
    await button(page, "Copy the curl command").click();
    await page.getByText("Copied", { exact: true }).waitFor({ state: "attached" });
    expect(await page.evaluate("document.activeElement.ariaLabel")).toBe("Copy the curl command");
    await page.getByLabel("Query", { exact: true }).fill("");
    await page.keyboard.press("ControlOrMeta+V");
    return page.getByLabel("Query", { exact: true }).inputValue();
  };
  // Another test may have copied something in between: the tests' one Chromium has one clipboard.
  await expect.poll(pasted).toContain("curl -sSN --http2-prior-knowledge");

  await page.getByRole("link", { name: "Upload" }).click();
  await choose(page, Buffer.from("hello"));
  await page.getByText("✓ The server received exactly this file.").waitFor();

  await page.getByRole("link", { name: "Chat" }).click();
  await say(page, "hello");
  await page.getByText("Echo: hello", { exact: true }).waitFor();
  app.expectProblems(IGNORED_HEADER);
});

test("the copy button says what to do when nothing can be copied", async () => {
  await using app = await openApp(browser, { host: INSECURE_HOST, path: "/query" });
  const { page } = app;
  await page.evaluate("document.execCommand = () => false");
  await button(page, "Copy the curl command").click();
  await page.locator(".copy-help", { hasText: "Select the text and copy it yourself" }).waitFor();
  await page.getByText("Not copied. Select the text and copy it yourself.").waitFor({ state: "attached" });
  app.expectProblems(IGNORED_HEADER);
});
