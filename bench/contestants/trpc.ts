/** tRPC's standalone server: a query by GET over HTTP/1.1. */
import { initTRPC, TRPCError } from "@trpc/server";
import { createHTTPServer } from "@trpc/server/adapters/standalone";
import { z } from "zod";
import { createSameWork } from "./shared/same-work.ts";
import { readSettings } from "./shared/settings.ts";
import { openUsers } from "./shared/users.ts";

interface Context {
  readonly authorization: string | undefined;
}

const settings = readSettings();
const users = openUsers(settings);
const work = settings.sameWork ? createSameWork(settings) : undefined;
const t = initTRPC.context<Context>().create();

function getUser({ id }: { id: string }) {
  const found = users.get(id);
  if (!found) throw new TRPCError({ code: "NOT_FOUND", message: "user not found" });
  const { email, name, createdAtMs, updatedAtMs, version } = found;
  const createdAt = new Date(createdAtMs).toISOString();
  const updatedAt = new Date(updatedAtMs).toISOString();
  return { user: { id, email, name, createdAt, updatedAt, etag: `"${version}"` } };
}

const input = z.object({ id: z.string().min(1).max(128) });
const query = work
  ? t.procedure
      .use(({ ctx, next }) => work.around("GetUser", ctx.authorization, () => {}, next))
      .input(input)
      .query(({ input }) => getUser(input))
  : t.procedure.input((value) => value as { id: string }).query(({ input }) => getUser(input));

createHTTPServer({
  router: t.router({ getUser: query }),
  createContext: ({ req }): Context => ({ authorization: req.headers.authorization }),
}).listen(settings.port, "127.0.0.1");
