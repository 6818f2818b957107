import { toJson } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { UserEvent, WatchState } from "@rollcall/client";
import { UserSchema } from "@rollcall/gen/user/v1/user";
import { counted } from "@rollcall/shared/counted";
import type { Command } from "commander";
import { keepAcknowledged } from "../acknowledged.ts";
import { CursorFile, readCursor } from "../cursor-file.ts";
import { UsageError } from "../exit.ts";
import { type Globals, withClient } from "../globals.ts";
import type { Io, Output } from "../io.ts";
import { printable, reportOf, reportText } from "../output.ts";

/** Time that a watch with a cursor file waits for the server at its start, in milliseconds. */
const WAIT_MS = 10 * 60_000;

interface WatchCommandOptions {
  filter?: string;
  existing?: boolean;
  from?: string;
  fromFile?: string;
  ack?: boolean;
}

/** Adds `users watch`, which follows changes until it is interrupted. */
export function addWatchCommand(users: Command, io: Io): void {
  users
    .command("watch")
    .description("show changes of users as they are made, until Ctrl-C; --timeout does not end it")
    .option("--filter <words>", "only users with a word in name or e-mail that starts with each of these")
    .option(
      "--existing",
      "begin with all users that exist, and again where the server no longer has the missed changes",
    )
    .option("--from <token>", "continue after an event, by its resumeToken, which --json prints")
    .option("--from-file <cursor>", "keep the place in this file, and continue there: each event comes at least once")
    .option(
      "--ack",
      "move the place only past events whose resumeToken comes back on standard input, one per line; needs --from-file and --json",
    )
    .action(async (options: WatchCommandOptions, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      if (options.from !== undefined && options.fromFile !== undefined) {
        throw new UsageError("--from and --from-file exclude each other");
      }
      if (options.ack && (options.fromFile === undefined || !globals.json)) {
        throw new UsageError("--ack needs --from-file, for the place, and --json, for the resumeToken of each event");
      }
      await watch(options, globals, io);
    });
}

async function watch({ filter, existing, from, fromFile, ack }: WatchCommandOptions, globals: Globals, io: Io) {
  const resumeToken = fromFile === undefined ? from : await readCursor(fromFile);
  const cursor = fromFile === undefined ? undefined : new CursorFile(fromFile);
  const note = (text: string) => io.stderr.write(globals.json ? `${JSON.stringify({ state: text })}\n` : `${text}\n`);
  let count = 0;
  await withClient(
    globals,
    io,
    () => `stopped after ${counted(count, "event")}`,
    async ({ client, options: { signal } }) => {
      const ended = new AbortController();
      const either = AbortSignal.any([signal, ended.signal]);
      const show = async (event: UserEvent) => {
        const line = globals.json ? toJsonLine(event) : toLine(event);
        if (line !== undefined) await write(io.stdout, `${line}\n`);
      };
      const query = { filter, includeExisting: existing, resumeToken };
      const events = client.users.watch(query, {
        signal: either,
        // Once a watch has been told to stop, it is not "catching up".
        onState: (state: WatchState) => either.aborted || note(state),
        onRetry: (error: ConnectError) => note(`trying again: ${reportText(reportOf(error))}`),
      });
      const follow = async () => {
        // The reader may have users of an earlier beginning that was broken off.
        if (cursor && existing && resumeToken === undefined)
          await show({ type: "reset", resumeToken: "", changeId: "" });
        for await (const event of events) {
          await show(event);
          if (event.type !== "progress") count += 1;
          if (event.resumeToken !== "" && !ack) cursor?.keep(event.resumeToken);
        }
      };
      try {
        await (ack && cursor ? Promise.race([follow(), keepAcknowledged(io.stdin, cursor, either)]) : follow());
      } finally {
        ended.abort();
        await cursor?.close();
      }
    },
    // A program that feeds others has to wait until the server starts.
    cursor && {
      pool: { waitTimeoutMs: WAIT_MS, onUnreachable: (error) => note(`waiting: ${reportText(reportOf(error))}`) },
    },
  );
}

/** Resolves when the operating system has the text. A reader of a pipe can then get it, even if this process ends. */
function write(output: Output, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** Formats an event with all that the next program needs. */
function toJsonLine(event: UserEvent): string {
  return JSON.stringify("user" in event ? { ...event, user: toJson(UserSchema, event.user) } : event);
}

/** Formats an event with tabs between its fields; returns undefined for one that people need not see. */
function toLine(event: UserEvent): string | undefined {
  if (event.type === "removed") return `removed\t${event.userId}`;
  if (!("user" in event)) return event.type === "reset" ? "reset" : undefined;
  const { id, email, name } = event.user;
  return [event.type, id, email, name].map(printable).join("\t");
}
