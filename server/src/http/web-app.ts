import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";

/** The page may load only what its own origin serves. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
].join("; ");

/** Serves the built web app at `/`; its files' names hold a hash of their content, but for the page itself. */
export async function registerWebApp(app: FastifyInstance, root: string): Promise<void> {
  await app.register(fastifyStatic, {
    root,
    wildcard: false,
    cacheControl: false,
    setHeaders(reply, path) {
      const isAsset = path.includes("/assets/");
      reply.headers({
        "cache-control": isAsset ? "public, max-age=31536000, immutable" : "no-cache",
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      });
    },
  });
}
