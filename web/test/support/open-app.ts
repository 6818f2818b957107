import { join } from "node:path";
import { createClient, type Transport } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import type { AppOptions, MintOptions } from "@rollcall/server";
import { connections, createCellTransport, protocols, startServerFor } from "@rollcall/testing/matrix";
import { type TestServer, until } from "@rollcall/testing/start-server";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";

export const WEB_ROOT = join(import.meta.dirname, "../../dist");

/** Schemes that the tests run over: plaintext and TLS. */
export const SCHEMES = ["http", "https"] as const;

/** Problems of a page whose server stops or has stopped. Timing decides which of them the page has. */
export const SERVER_AWAY = /net::ERR_|status of 503/;

/** Longest time that the console may lag behind the page, in milliseconds. */
const MAX_LAG_MS = 100_000;

export interface OpenOptions {
  /** Scheme of the server's address. Default http. */
  scheme?: (typeof SCHEMES)[number];
  /** Host by which the browser calls the server. Default localhost. */
  host?: string;
  /** Options of the server. */
  app?: Partial<AppOptions>;
  context?: BrowserContextOptions;
  /** Options of the token in the link that is opened; false opens the app without a token. */
  token?: Partial<MintOptions> | false;
  path?: string;
  /** Milliseconds by which the page's clock is ahead. `page.clock` controls that clock. Default: the browser's own. */
  clockAheadMs?: number;
  /** Hosts other than the server that the page may lead to or call. */
  otherHosts?: readonly string[];
  /** Called with the server's address before the page is opened. */
  onServer?(url: string): void;
  /** Script that runs in the page before its own. */
  initScript?: string;
}

export interface OpenApp extends AsyncDisposable {
  readonly server: TestServer;
  readonly page: Page;
  /**
   * Accepts the console errors that a test provokes, and later ones that match too. At least one must come, though the
   * console may lag behind the page, and all must match.
   */
  expectProblems(pattern: RegExp): void;
  /** Accepts such errors if there are any. */
  allowProblems(pattern: RegExp): void;
  /** Transport of another client of the same server, with all scopes. */
  readonly transport: Transport;
  /** Creates this number of users in the directory. */
  createUsers(count: number): Promise<void>;
}

/**
 * Opens the app of a server of its own in a tab of its own. When the app is disposed, the
 * test fails if the page has logged an error or sent a request to another host.
 */
export async function openApp(browser: Browser, options: OpenOptions = {}): Promise<OpenApp> {
  const { scheme = "http", token = {}, path = "/" } = options;
  const connection = connections[scheme === "https" ? "tlsH2" : "h2c"];
  const server = await startServerFor(connection, { webRoot: WEB_ROOT, ...options.app });
  const origin = new URL(server.url);
  options.onServer?.(server.url);
  if (options.host) origin.hostname = options.host;
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options.context });
  const page = await context.newPage();
  if (options.clockAheadMs !== undefined) await page.clock.install({ time: Date.now() + options.clockAheadMs });
  if (options.initScript) await page.addInitScript(options.initScript);
  const problems: string[] = [];
  const expected: RegExp[] = [];
  /** Expected patterns that no problem has matched yet. */
  const awaited: RegExp[] = [];
  const checkOrigin = (url: string) => {
    const { host } = new URL(url);
    if (host !== origin.host && !options.otherHosts?.includes(host)) problems.push(`request to ${url}`);
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
      if (problems.length === 0) awaited.push(pattern);
      for (const problem of problems.splice(0)) expect(problem).toMatch(pattern);
      expected.push(pattern);
    },
    allowProblems: (pattern) => expected.push(pattern),
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
      const missing = () => awaited.find((pattern) => !problems.some((problem) => pattern.test(problem)));
      const givenUpAtMs = performance.now() + MAX_LAG_MS;
      await until(() => missing() === undefined || performance.now() > givenUpAtMs);
      const lacking = missing();
      await context.close();
      await server[Symbol.asyncDispose]();
      if (lacking) throw new Error(`the page has no problem like ${lacking}`);
      const unexpected = problems.filter((problem) => !expected.some((pattern) => pattern.test(problem)));
      if (unexpected.length > 0) throw new Error(unexpected.join("\n"));
    },
  };
}
