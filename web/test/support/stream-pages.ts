import type { Page } from "playwright-core";

export const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

export const panel = (page: Page) => page.getByRole("complementary", { name: "The call" });

/** Reads a fact of the call from the panel: Protocol, State and so on. */
export const fact = (page: Page, name: string) =>
  panel(page).locator(".facts > div", { hasText: name }).locator("dd").textContent();

export async function choose(page: Page, buffer: Buffer): Promise<void> {
  await page
    .locator("input[type=file]")
    .setInputFiles({ name: "file.bin", mimeType: "application/octet-stream", buffer });
}

/** Uploads a file that is made inside the page, which is quicker than handing over a large one. */
export const chooseLarge = (page: Page, megabytes: number) =>
  choosePart(page, megabytes, "new TextEncoder().encode(text)");

/**
 * Uploads a file of 10 GB, so that a test has time to stop it half-way even on a busy machine. The file repeats one
 * part, which the browser holds only once.
 */
export const chooseEndless = (page: Page) => choosePart(page, 10_000, "new Blob([text])");

/** @param part Expression for a part of the file, which repeats a megabyte of text. */
async function choosePart(page: Page, count: number, part: string): Promise<void> {
  await page.evaluate(`(() => {
    const text = "rollcall".repeat(125_000);
    const transfer = new DataTransfer();
    transfer.items.add(new File(Array(${count}).fill(${part}), "large.bin"));
    const input = document.querySelector("input[type=file]");
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  })()`);
}

export async function say(page: Page, message: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(message);
  await page.keyboard.press("Enter");
}
