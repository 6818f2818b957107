import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { UserService, type WatchUsersResponse, WatchUsersResponseSchema } from "@rollcall/gen/user/v1/user";
import type { OpenWatch, WatchRequest, WatchWay } from "@rollcall/testing/feed-run";
import type { TestServer } from "@rollcall/testing/start-server";
import type { Browser, Page } from "playwright-core";
import { bundle } from "./bundle.ts";
import type { StreamPart } from "./watch-in-page.ts";
import { createWatchTransport, PAGE_WAYS, type PageWay } from "./watch-transport.ts";

/** Creates the folder of a page that watches. The caller has to dispose of it. */
export async function makeWatchPage(): Promise<{ webRoot: string } & AsyncDisposable> {
  const folder = await mkdtempDisposable(join(tmpdir(), "rollcall-watch-"));
  const webRoot = join(folder.path, "web");
  await bundle(join(import.meta.dirname, "watch-in-page.ts"), webRoot);
  const html = `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/bundle.js"></script>`;
  await writeFile(join(webRoot, "index.html"), html);
  return { webRoot, [Symbol.asyncDispose]: () => folder.remove() };
}

/** A stream that runs in a page, as its test reads it. The page continues when an event was taken. */
class PageStream {
  #parts: { part: StreamPart; taken: () => void }[] = [];
  #wake: (() => void) | undefined;

  put(part: StreamPart): Promise<void> {
    return new Promise((taken) => {
      this.#parts.push({ part, taken });
      this.#wake?.();
    });
  }

  async next(signal: AbortSignal): Promise<StreamPart> {
    while (this.#parts.length === 0) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    const { part, taken } = this.#parts.shift() as { part: StreamPart; taken: () => void };
    taken();
    return part;
  }
}

/** Opens streams in a page of a server, in one of the ways that are possible in pages. */
class WatchingPage {
  readonly #page: Page;
  readonly #baseUrl: string;
  readonly #token: string;
  readonly #streams = new Map<number, PageStream>();
  #count = 0;

  private constructor(page: Page, baseUrl: string, token: string) {
    this.#page = page;
    this.#baseUrl = baseUrl;
    this.#token = token;
  }

  static async open(browser: Browser, server: TestServer): Promise<WatchingPage> {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    const watching = new WatchingPage(page, server.url, await server.token());
    await page.exposeFunction("takePart", (id: number, part: StreamPart) => watching.#streams.get(id)?.put(part));
    await page.goto(server.url);
    return watching;
  }

  async *watch(way: PageWay, request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchUsersResponse> {
    const id = this.#count++;
    const stream = new PageStream();
    this.#streams.set(id, stream);
    const { resumeToken = "", includeExisting = false, filter = "" } = request;
    const asked = { resumeToken, includeExisting, filter };
    const start = { id, way, baseUrl: this.#baseUrl, token: this.#token, request: asked };
    try {
      await this.#page.evaluate((given) => startStream(given), start);
      for (;;) {
        const { events, end } = await stream.next(signal);
        for (const event of events) yield fromJson(WatchUsersResponseSchema, event as JsonValue);
        if (end !== undefined) throw new ConnectError("the page's stream has ended", Code[end as "Unavailable"]);
      }
    } finally {
      this.#streams.delete(id);
      await this.#page.evaluate((stopped) => stopStream(stopped), id);
    }
  }
}

/**
 * Returns the ways to watch from pages in Chromium, over plaintext and over TLS with h2, and a WebSocket of Node. The
 * servers have to serve the folder made by {@link makeWatchPage}.
 */
export function waysOfPages(browser: Browser): WatchWay[] {
  const pages = new Map<TestServer, Promise<WatchingPage>>();
  const pageOf = (server: TestServer) => {
    const page = pages.get(server) ?? WatchingPage.open(browser, server);
    pages.set(server, page);
    return page;
  };
  const inPages = PAGE_WAYS.flatMap((way) =>
    (["plain", "secure"] as const).map((which) => ({
      name: `Chromium, ${way}, ${which}`,
      async open(servers: Readonly<Record<"plain" | "secure", TestServer>>): Promise<OpenWatch> {
        const page = await pageOf(servers[which]);
        return (request, signal) => page.watch(way, request, signal);
      },
    })),
  );
  return [...inPages, nodeSocket];
}

const nodeSocket: WatchWay = {
  name: "Node, gRPC-Web by WebSocket",
  async open({ plain }) {
    const transport = createWatchTransport("gRPC-Web by WebSocket", plain.url, await plain.token());
    const users = createClient(UserService, transport);
    return (request, signal) => users.watchUsers(request, { signal });
  },
};
