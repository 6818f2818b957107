import { join } from "node:path";
import { createClient, type Transport } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import type { AppOptions, MintOptions } from "@rollcall/server";
import { connections, createCellTransport, protocols, startServerFor } from "@rollcall/testing/matrix";
import type { TestServer } from "@rollcall/testing/start-server";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";

export const WEB_ROOT = join(import.meta.dirname, "../../dist");

/** In plaintext, and with TLS. */
export const SCHEMES = ["http", "https"] as const;

export interface OpenOptions {
  /** Default http. */
  scheme?: (typeof SCHEMES)[number];
  /** The name by which the browser calls the server. Default localhost. */
  host?: string;
  /** Of the server. */
  app?: Partial<AppOptions>;
  context?: BrowserContextOptions;
  /** Of the token in the link that is opened; false opens the app without one. */
  token?: Partial<MintOptions> | false;
  path?: string;
  /** Gives the page a clock that `page.clock` moves, and that is so many milliseconds ahead; by default its own. */
  clockAheadMs?: number;
  /** Changes the page before it is loaded. */
  initScript?: string;
}

export interface OpenApp extends AsyncDisposable {
  readonly server: TestServer;
  readonly page: Page;
  /** Takes errors in the console that a test has asked for: there must be some, all of them like this, and no request elsewhere. */
  expectProblems(pattern: RegExp): void;
  /** Another client of the same server, with all scopes. */
  readonly transport: Transport;
  /** Fills the directory. */
  createUsers(count: number): Promise<void>;
}

/**
 * The app of a server of its own, open in a tab of its own. At its end it must have
 * logged no error and asked nobody else for anything, or the test fails.
 */
export async function openApp(browser: Browser, options: OpenOptions = {}): Promise<OpenApp> {
  const { scheme = "http", token = {}, path = "/" } = options;
  const connection = connections[scheme === "https" ? "tlsH2" : "h2c"];
  const server = await startServerFor(connection, { webRoot: WEB_ROOT, ...options.app });
  const origin = new URL(server.url);
  if (options.host) origin.hostname = options.host;
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options.context });
  const page = await context.newPage();
  if (options.clockAheadMs !== undefined) await page.clock.install({ time: Date.now() + options.clockAheadMs });
  if (options.initScript) await page.addInitScript(options.initScript);
  const problems: string[] = [];
  const checkOrigin = (url: string) => {
    if (new URL(url).host !== origin.host) problems.push(`request to ${url}`);
  };
  page.on("request", (request) => checkOrigin(request.url()));
  page.on("websocket", (socket) => checkOrigin(socket.url()));
  page.on("pageerror", (error) => problems.push(`uncaught ${error.stack}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`${message.type()}: ${message.text()}`);
  });
  const transport = await createCellTransport(server, { ...protocols.grpc, ...connection });
  await page.goto(`${origin.origin}${path}${token ? `#token=${await server.token(token)}` : ""}`);
  return {
    server,
    page,
    expectProblems(pattern) {
      expect(problems).not.toEqual([]);
      for (const problem of problems.splice(0)) expect(problem).toMatch(pattern);
    },
    transport,
    async createUsers(count) {
      const users = createClient(UserService, transport);
      for (let number = 1; number <= count; number++) {
        const padded = String(number).padStart(2, "0");
        await users.createUser({ name: `Person ${padded}`, email: `person${padded}@example.com` });
      }
      await page.reload();
    },
    async [Symbol.asyncDispose]() {
      await context.close();
      await server[Symbol.asyncDispose]();
      if (problems.length > 0) throw new Error(problems.join("\n"));
    },
  };
}
