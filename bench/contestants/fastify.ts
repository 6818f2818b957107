/** A Fastify route with JSON over HTTP/1.1, with the schemas that make Fastify fast. */
import { type FastifyRequest, fastify } from "fastify";
import { createSameWork } from "./shared/same-work.ts";
import { readSettings } from "./shared/settings.ts";
import { openUsers } from "./shared/users.ts";

const settings = readSettings();
const users = openUsers(settings);
const work = settings.sameWork ? createSameWork(settings) : undefined;

const text = { type: "string" } as const;
const user = {
  type: "object",
  properties: { id: text, email: text, name: text, createdAt: text, updatedAt: text, etag: text },
} as const;
const reply = { type: "object", properties: { user } } as const;
const body = {
  type: "object",
  properties: { id: { type: "string", minLength: 1, maxLength: 128 } },
  required: ["id"],
} as const;

function getUser(id: string): object {
  const found = users.get(id);
  if (!found) throw new Error("user not found");
  const { email, name, createdAtMs, updatedAtMs, version } = found;
  const createdAt = new Date(createdAtMs).toISOString();
  const updatedAt = new Date(updatedAtMs).toISOString();
  return { user: { id, email, name, createdAt, updatedAt, etag: `"${version}"` } };
}

const app = fastify();
const schema = { response: { 200: reply } };
if (work) {
  // Fastify checks the body against its schema before the handler.
  app.post("/users/get", { schema: { ...schema, body } }, (request: FastifyRequest<{ Body: { id: string } }>) =>
    work.around(
      "GetUser",
      request.headers.authorization,
      () => {},
      () => getUser(request.body.id),
    ),
  );
} else {
  app.post("/users/get", { schema }, async (request: FastifyRequest<{ Body: { id: string } }>) =>
    getUser(request.body.id),
  );
}
await app.listen({ host: "127.0.0.1", port: settings.port });
