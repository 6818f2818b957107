import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type User, type UserChange, UserChangeSchema } from "@rollcall/gen/user/v1/user";
import type { Command } from "commander";
import { type Globals, NOTHING_CHANGED, withClient } from "../globals.ts";
import type { Io } from "../io.ts";
import { printable } from "../output.ts";

/** Adds `users history`, which shows the changes of one user. */
export function addHistoryCommand(users: Command, io: Io): void {
  users
    .command("history <id>")
    .description("show who changed a user, when and how, the latest change first, for as long as the server keeps them")
    .action(async (id: string, _options, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      await withClient(
        globals,
        io,
        () => NOTHING_CHANGED,
        async ({ client, options }) => {
          let pageToken = "";
          let count = 0;
          do {
            const page = await client.users.history(id, { pageSize: 1_000, pageToken }, options);
            for (const change of page.changes) {
              io.stdout.write(`${globals.json ? JSON.stringify(toJson(UserChangeSchema, change)) : toLine(change)}\n`);
            }
            count += page.changes.length;
            pageToken = page.nextPageToken;
          } while (pageToken !== "");
          if (count === 0) io.stderr.write("The server keeps no change of such a user (any more).\n");
        },
      );
    });
}

function toLine({ changedAt, changedBy, before, after }: UserChange): string {
  const time = changedAt ? timestampDate(changedAt).toISOString() : "";
  return [time, changedBy, ...wordsFor(before, after)].map(printable).join("\t");
}

/** Returns in words what was done, and which fields were changed. */
function wordsFor(before: User | undefined, after: User | undefined): string[] {
  if (!after) return ["removed", before?.email ?? "", before?.name ?? ""];
  if (!before) return ["created", after.email, after.name];
  const changed = (["email", "name"] as const).filter((field) => before[field] !== after[field]);
  return ["updated", ...changed.map((field) => `${field}: ${before[field]} -> ${after[field]}`)];
}
