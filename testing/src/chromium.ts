import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserServer, chromium as playwright } from "playwright-core";
import { afterAll, inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** Endpoint of the Chromium that all browser tests share. */
    chromiumEndpoint: string;
  }
}

/** Host name of this machine. Over plain http, browsers give its pages no APIs of secure contexts. */
export const INSECURE_HOST = "rollcall.test";

/** A little less than a test's own time limit, so that a failure says what was being waited for. */
const WAIT_LIMIT_MS = 300_000;

/**
 * Launches a real Chromium: the one at CHROMIUM_PATH, else the one in the npm packages, so that nothing has to be
 * installed by hand. It makes no requests of its own.
 */
export async function launchChromiumServer(): Promise<BrowserServer> {
  return playwright.launchServer({
    host: "127.0.0.1",
    timeout: WAIT_LIMIT_MS,
    executablePath: process.env.CHROMIUM_PATH ?? (await chromium.executablePath()),
    args: [
      // A sandbox needs privileges that containers rarely have.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Unlike localhost, this name of the machine is not a secure context over plain http.
      `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
    ],
  });
}

/**
 * Connects to the shared Chromium of the tests. Closing the returned browser closes only its own contexts and pages.
 */
export async function launchChromium(): Promise<Browser> {
  const endpoint: string | undefined = inject("chromiumEndpoint");
  if (endpoint === undefined) throw new Error("Chromium is for web/test and for files named *.browser.test.ts");
  const browser = await playwright.connect(endpoint);
  browser.on("context", (context) => context.setDefaultTimeout(WAIT_LIMIT_MS));
  return browser;
}

/** Connects a test file to the shared Chromium, until all of its tests have run. */
export async function connectChromium(): Promise<Browser> {
  const browser = await launchChromium();
  afterAll(() => browser.close());
  return browser;
}
