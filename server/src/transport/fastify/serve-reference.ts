import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { hasTag } from "../../rpc/stages/unchanged-read.ts";
import { CachedText } from "./cached-text.ts";
import { STATIC_PAGE_HEADERS } from "./page-headers.ts";

/** Makes the served texts. */
export interface ReferenceTexts {
  openApi(): string;
  page(): string;
  style(): string;
  guide(baseUrl: string): string;
}

export interface ReferenceOptions {
  /** Describes the services. Called once, by the first request. */
  load(): Promise<ReferenceTexts>;
  scheme: "http" | "https";
}

/**
 * Serves the reference to everybody: `/openapi.json`, `/docs`, its style, and `/llms.txt`. Browsers revalidate their
 * copies each time.
 */
export function registerReference(app: FastifyInstance, { load, scheme }: ReferenceOptions): void {
  let loaded: Promise<ReferenceTexts> | undefined;
  const texts = () => {
    loaded ??= load();
    return loaded;
  };
  const serve = (path: string, type: string, name: "openApi" | "page" | "style") => {
    let made: CachedText | undefined;
    app.get(path, async (request, reply) => {
      const reference = await texts();
      made ??= new CachedText(reference[name]());
      return sendCached(request, reply, type, made);
    });
  };
  serve("/openapi.json", "application/json", "openApi");
  serve("/docs", "text/html; charset=utf-8", "page");
  serve("/docs.css", "text/css; charset=utf-8", "style");
  app.get("/llms.txt", async ({ host, headers }, reply) => {
    reply.headers({ ...STATIC_PAGE_HEADERS, "cache-control": "no-store" }).type("text/plain; charset=utf-8");
    // A proxy's header counts, whoever set it: the answer goes only to the client that asked, and no cache keeps it.
    const asked = headers["x-forwarded-proto"];
    return (await texts()).guide(`${asked === "https" ? asked : scheme}://${host}`);
  });
}

/** Sends a text in the coding that the client prefers, unless the client already has it. */
export async function sendCached(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  type: string,
  text: CachedText,
): Promise<FastifyReply> {
  reply.headers({ ...STATIC_PAGE_HEADERS, "cache-control": "no-cache", vary: "Accept-Encoding" });
  if (text.tag !== undefined) {
    reply.header("etag", text.tag);
    if (hasTag(headers["if-none-match"], text.tag)) return reply.code(304).send();
  }
  const { bytes, coding } = await text.encodedFor(headers["accept-encoding"]?.toString() ?? "");
  if (coding !== undefined) reply.header("content-encoding", coding);
  return reply.type(type).send(bytes);
}
