import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";

/**
 * A real Chromium: the one at CHROMIUM_PATH, else the one that comes with the
 * npm packages, so that nothing has to be installed by hand. It calls no one but
 * the pages it is sent to.
 */
export async function launchChromium(): Promise<Browser> {
  return playwright.launch({
    executablePath: process.env.CHROMIUM_PATH ?? (await chromium.executablePath()),
    args: [
      // A sandbox needs rights that a container seldom gives.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
