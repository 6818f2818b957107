import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fastifyStatic, { type FastifyStaticOptions } from "@fastify/static";
import type { SignInOptions } from "@rollcall/shared/sign-in-options";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { appHeaders } from "./page-headers.ts";

export type { SignInOptions };

export interface WebAppOptions {
  /** Folder of the built web app. */
  root: string;
  /** How people sign in. Default: with a token. */
  signIn?: SignInOptions | undefined;
  /** Whether there is a reference at `/docs`. */
  docs: boolean;
}

/**
 * Serves the built web app at `/`, and at `/app-config.json` the facts about this server that it needs. The names of
 * its assets contain a hash of their content, so browsers keep the assets for ever, but never the page. If a file has a
 * `.br` or `.gz` beside it, that is sent to clients that accept it.
 *
 * The page names its files relative to its own address, since a proxy may have added a path in front that the server
 * never sees. For a page further down, the names go up as many folders.
 *
 * Page and assets are read from disk each time: a page that was built while the server runs names assets that did not
 * exist when the server started.
 */
export async function registerWebApp(
  app: FastifyInstance,
  { root, docs, signIn = { kind: "token" } }: WebAppOptions,
): Promise<void> {
  const headers = appHeaders(signIn.kind === "provider" ? [new URL(signIn.issuer).origin] : []);
  app.get("/app-config.json", (_request, reply) => reply.header("cache-control", "no-store").send({ signIn, docs }));
  const assets = join(root, "assets");
  const options: FastifyStaticOptions = {
    root,
    cacheControl: false,
    preCompressed: true,
    setHeaders(reply, path) {
      reply.headers({
        ...headers,
        "cache-control": path.startsWith(assets) ? "public, max-age=31536000, immutable" : "no-store",
      });
    },
  };
  await app.register(fastifyStatic, { ...options, wildcard: false, globIgnore: ["assets/**"] });
  await app.register(fastifyStatic, { ...options, root: assets, prefix: "/assets/", decorateReply: false });
  // All paths of the app's pages return the same file. The page itself decides by its path what to show.
  app.get("/*", async (request, reply) => {
    if (!isPage(request)) return reply.callNotFound();
    const depth = pathOf(request).split("/").length - 2;
    if (depth === 0) return reply.sendFile("index.html");
    const page = await readFile(join(root, "index.html"), "utf8");
    reply.headers({ ...headers, "cache-control": "no-store" }).type("text/html; charset=utf-8");
    return page.replaceAll('"./', `"${"../".repeat(depth)}`);
  });
}

/**
 * Returns whether a browser navigates to a page. Files and methods have a dot in their paths, pages have none. A link
 * that begins with two slashes names a host, not a path.
 */
function isPage(request: FastifyRequest): boolean {
  const path = pathOf(request);
  return !path.includes(".") && !path.startsWith("//") && (request.headers.accept ?? "").includes("text/html");
}

function pathOf({ url }: FastifyRequest): string {
  return url.split("?", 1)[0] ?? "";
}
