import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserServer, chromium as playwright } from "playwright-core";
import { afterAll, inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the Chromium of all browser tests listens. */
    chromiumEndpoint: string;
  }
}

/** Leads to this machine. Over plain http, browsers give its pages no API of secure contexts. */
export const INSECURE_HOST = "rollcall.test";

/** A little less than a test's own time limit, so that a failure names what was waited for. */
const WAIT_LIMIT_MS = 300_000;

/**
 * Launches a real Chromium: the one at CHROMIUM_PATH, else the one that comes with the
 * npm packages, so that nothing has to be installed by hand. It calls no one but the
 * pages it is sent to.
 */
export async function launchChromiumServer(): Promise<BrowserServer> {
  return playwright.launchServer({
    host: "127.0.0.1",
    timeout: WAIT_LIMIT_MS,
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
      // A name of this machine that, unlike localhost, is no secure context over plain http.
      `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
    ],
  });
}

/** Connects to the tests' one Chromium. Closing what is returned closes its own contexts and pages only. */
export async function launchChromium(): Promise<Browser> {
  const endpoint: string | undefined = inject("chromiumEndpoint");
  if (endpoint === undefined) throw new Error("Chromium is for web/test and for files named *.browser.test.ts");
  const browser = await playwright.connect(endpoint);
  browser.on("context", (context) => context.setDefaultTimeout(WAIT_LIMIT_MS));
  return browser;
}

/** Connects a file of tests to their one Chromium, until all of them have run. */
export async function connectChromium(): Promise<Browser> {
  const browser = await launchChromium();
  afterAll(() => browser.close());
  return browser;
}
