import type { Page } from "playwright-core";
import { expect } from "vitest";

/**
 * Copies, and expects a text in the clipboard. The pages of all tests share the one clipboard of their Chromium: where
 * another test has copied something meanwhile, this copies again.
 */
export async function expectCopied(page: Page, copy: () => Promise<void>, text: RegExp | string): Promise<void> {
  const copied = async () => {
    await copy();
    return page.evaluate<string>("navigator.clipboard.readText()");
  };
  await expect.poll(copied).toEqual(text instanceof RegExp ? expect.stringMatching(text) : text);
}
