import { toJson } from "@bufbuild/protobuf";
import { randomId } from "@rollcall/client";
import { type ListUsersResponse, ListUsersResponseSchema, type User } from "@rollcall/gen/user/v1/user";
import { counted } from "@rollcall/shared/counted";
import type { Command } from "commander";
import { UsageError } from "../exit.ts";
import { type Globals, integer, NOTHING_CHANGED, withClient } from "../globals.ts";
import type { Io } from "../io.ts";
import { userToJson, writeUsers } from "../output.ts";
import { RequiredOption } from "../required-option.ts";
import { addExportCommand } from "./export.ts";
import { addHistoryCommand } from "./history.ts";
import { addImportCommand } from "./import.ts";
import { addWatchCommand } from "./watch.ts";

export function addUsersCommands(program: Command, io: Io): void {
  const users = program.command("users").description("the user directory");
  const writeAll = (all: readonly User[], { json }: Globals) => {
    if (json) for (const user of all) io.stdout.write(`${userToJson(user)}\n`);
    else writeUsers(io.stdout, all);
  };
  const writeUser = (user: User, globals: Globals) => writeAll([user], globals);

  users
    .command("create")
    .description("add a user")
    .addOption(new RequiredOption("--email <address>", "unique in the directory, in any case of its letters"))
    .addOption(new RequiredOption("--name <name>", "1 to 200 characters"))
    .option("--request-id <id>", "repeating the command with the same id within a day creates no second user")
    .action(async ({ email, name, requestId = randomId() }, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      const whenInterrupted = () =>
        `canceled; whether the user was created is not known: repeat the command with --request-id ${requestId}`;
      await withClient(globals, io, whenInterrupted, async ({ client, options }) => {
        writeUser(await client.users.create({ email, name, requestId }, options), globals);
      });
    });

  users
    .command("get <id...>")
    .description(
      "show users by their ids, up to 1000; if one does not exist, shows none. --json prints one user per line",
    )
    .action(async (ids: string[], _options, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      await withClient(
        globals,
        io,
        () => NOTHING_CHANGED,
        async ({ client, options }) => {
          const [first = ""] = ids;
          const found =
            ids.length > 1 ? await client.users.batchGet(ids, options) : [await client.users.get(first, options)];
          writeAll(found, globals);
        },
      );
    });

  users
    .command("list")
    .description("show a page of users; --json prints it as one object, and with --all one user per line")
    .option("--page-size <n>", "at most this many, up to 1000 (default: 50)", integer(1, 1_000))
    .option("--page-token <token>", "show the page of this token, which the page before it gave")
    .option("--filter <words>", "only users with a word in name or e-mail that starts with each of these")
    .option("--order-by <field>", 'create_time (default), update_time, name or email; "name desc" is descending')
    .option("--total", "also show how many there are, on standard error; with --json, but without --all, as totalSize")
    .option("--all", "show all pages")
    .action(async ({ pageSize, pageToken, filter, orderBy, total, all }, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      if (all && pageToken !== undefined) throw new UsageError("--all and --page-token exclude each other");
      await withClient(
        globals,
        io,
        () => NOTHING_CHANGED,
        async ({ client, options }) => {
          for (let token: string = pageToken ?? ""; ; ) {
            // The total of the first page is enough.
            const includeTotalSize = total === true && token === (pageToken ?? "");
            const page = await client.users.list(
              { pageSize: pageSize ?? (all ? 1_000 : 0), pageToken: token, filter, orderBy, includeTotalSize },
              options,
            );
            if (page.totalSize !== undefined && (all || !globals.json)) io.stderr.write(`${totalOf(page)}\n`);
            if (!globals.json) writeUsers(io.stdout, page.users);
            else if (all) for (const user of page.users) io.stdout.write(`${userToJson(user)}\n`);
            else
              io.stdout.write(
                `${JSON.stringify(toJson(ListUsersResponseSchema, page, { alwaysEmitImplicit: true }))}\n`,
              );
            token = page.nextPageToken;
            if (token === "") return;
            if (!all) {
              if (!globals.json) io.stderr.write(`There are more: --all, or --page-token ${token}\n`);
              return;
            }
          }
        },
      );
    });

  users
    .command("update <id>")
    .description("change a user; needs --email, --name or both")
    .option("--email <address>", "new e-mail")
    .option("--name <name>", "new name")
    .option("--etag <etag>", "only if the user still has this etag, which users get --json shows")
    .action(async (id: string, { email, name, etag }, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      if (email === undefined && name === undefined) throw new UsageError("give --email, --name or both");
      const whenInterrupted = () => `canceled; whether the user was changed is not known: see rollcall users get ${id}`;
      await withClient(globals, io, whenInterrupted, async ({ client, options }) => {
        writeUser(await client.users.update(id, { email, name }, { etag, ...options }), globals);
      });
    });

  users
    .command("delete <id>")
    .description("remove a user")
    .option("--etag <etag>", "only if the user still has this etag, which users get --json shows")
    .action(async (id: string, { etag }, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      const whenInterrupted = () => `canceled; whether the user was removed is not known: see rollcall users get ${id}`;
      await withClient(globals, io, whenInterrupted, async ({ client, options }) => {
        await client.users.delete(id, { etag, ...options });
        io.stdout.write(globals.json ? `${JSON.stringify({ success: true })}\n` : `Removed ${id}\n`);
      });
    });

  addWatchCommand(users, io);
  addHistoryCommand(users, io);
  addImportCommand(users, io);
  addExportCommand(users, io);
}

function totalOf({ totalSize = 0, totalSizeExceeded }: ListUsersResponse): string {
  const count = counted(totalSize, "user");
  return totalSizeExceeded ? `More than ${count}` : count;
}
