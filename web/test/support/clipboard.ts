import type { Page } from "playwright-core";
import { expect } from "vitest";

/**
 * Copies, and expects a text in the clipboard. All tests share one Chromium with one clipboard, so this copies again if
 * another test has copied something meanwhile.
 */
export async function expectCopied(page: Page, copy: () => Promise<void>, text: RegExp | string): Promise<void> {
  const copied = async () => {
    await copy();
    return page.evaluate<string>("navigator.clipboard.readText()");
  };
  await expect.poll(copied).toEqual(text instanceof RegExp ? expect.stringMatching(text) : text);
}
