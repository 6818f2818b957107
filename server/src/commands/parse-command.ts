import { parseArgs } from "node:util";

export const USAGE = `Usage: rollcall-server [command]

  serve           serve the directory (default)
  backup FILE     copy the database of DATABASE_URL to a new file, while a server may use it
  restore FILE    put a backup in the place of DATABASE_URL, where no database is
  copy FROM TO    copy one database into another, which must be empty: two database URLs, or the names of
                  variables with them, which keep passwords out of the list of processes
  --help, --version

Exit codes: 0 done, 1 it failed, 2 wrong usage or a wrong setting, 130 Ctrl-C.
`;

/** Command and settings that the arguments ask for. */
export type ServerCommand =
  | { readonly name: "serve" }
  | { readonly name: "help" }
  | { readonly name: "version" }
  | { readonly name: "backup" | "restore"; readonly file: string }
  | { readonly name: "copy"; readonly from: string; readonly to: string };

/** The arguments make no command. The message says why. */
export class CommandUsageError extends Error {
  override name = "CommandUsageError";
}

/** Parses the arguments of `rollcall-server`. @throws CommandUsageError */
export function parseCommand(args: readonly string[]): ServerCommand {
  const { values, positionals } = parse(args);
  if (values.help) return { name: "help" };
  if (values.version) return { name: "version" };
  const [name = "serve", ...rest] = positionals;
  switch (name) {
    case "serve":
      expectExactly(name, rest, []);
      return { name };
    case "backup":
    case "restore": {
      const [file] = expectExactly(name, rest, ["FILE"]);
      return { name, file };
    }
    case "copy": {
      const [from, to] = expectExactly(name, rest, ["FROM", "TO"]);
      return { name, from, to };
    }
    default:
      throw new CommandUsageError(`there is no command ${JSON.stringify(name)}`);
  }
}

function parse(args: readonly string[]) {
  const options = { help: { type: "boolean", short: "h" }, version: { type: "boolean" } } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const [message = ""] = (error as Error).message.split(". ");
    throw new CommandUsageError(message, { cause: error });
  }
}

/** Returns the arguments, if there are as many as there are names. An empty one counts as missing. */
function expectExactly<Names extends readonly string[]>(
  command: string,
  args: readonly string[],
  names: readonly [...Names],
): { [Index in keyof Names]: string } {
  if (args.length > names.length)
    throw new CommandUsageError(`${command} takes ${names.join(" and ") || "no argument"}`);
  const missing = names.find((_, index) => !args[index]);
  if (missing !== undefined) throw new CommandUsageError(`${command} needs ${missing}`);
  return args as unknown as { [Index in keyof Names]: string };
}
