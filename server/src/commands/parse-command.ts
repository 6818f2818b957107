import { parseArgs } from "node:util";
import { parseDuration } from "@rollcall/shared/units";
import { CommandUsageError } from "./usage-error.ts";

export const USAGE = `Usage: rollcall-server [command]

  serve           serve the directory (default)
  check-config    read the settings as a start does, and say what is wrong
  doctor          check Node.js, settings, database, disk, ports and certificates, and say what to do
  healthcheck     ask the server with these settings whether it is ready; for a container's health check
  backup FILE     copy the database of DATABASE_URL to a new file, while a server may use it
  restore FILE    put a backup in the place of DATABASE_URL, where no database is
  copy FROM TO    copy one database into another, which must be empty: two database URLs, or the names of
                  variables with them, which keep passwords out of the list of processes
  token mint --sub SUBJECT --scope "SCOPES" [--ttl 1h]
                  print a token, signed with AUTH_SECRET or the development key
  --help, --version

Exit codes: 0 done, 1 it failed, 2 wrong usage or a wrong setting, 130 Ctrl-C.
`;

const DEFAULT_TTL = "1h";

/** Command and settings that the arguments ask for. */
export type ServerCommand =
  | { readonly name: "serve" | "help" | "version" | "check-config" | "doctor" | "healthcheck" }
  | { readonly name: "backup" | "restore"; readonly file: string }
  | { readonly name: "copy"; readonly from: string; readonly to: string }
  | { readonly name: "token mint"; readonly subject: string; readonly scope: string; readonly ttlMs: number };

/** Parses the arguments of `rollcall-server`. @throws CommandUsageError */
export function parseCommand(args: readonly string[]): ServerCommand {
  const { values, positionals } = parse(args);
  if (values.help) return { name: "help" };
  if (values.version) return { name: "version" };
  const [name = "serve", ...rest] = positionals;
  const stray = (["sub", "scope", "ttl"] as const).find((option) => name !== "token" && values[option] !== undefined);
  if (stray !== undefined) throw new CommandUsageError(`${name} takes no --${stray}`);
  switch (name) {
    case "serve":
    case "check-config":
    case "doctor":
    case "healthcheck":
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
    case "token": {
      const { sub: subject, scope, ttl = DEFAULT_TTL } = values;
      if (rest.length !== 1 || rest[0] !== "mint") throw new CommandUsageError("token has one command: token mint");
      if (subject === undefined) throw new CommandUsageError("token mint needs --sub");
      if (scope === undefined) throw new CommandUsageError("token mint needs --scope");
      const ttlMs = parseDuration(ttl);
      if (ttlMs === undefined) throw new CommandUsageError("--ttl must be a time, such as 30m, 1h or 7d");
      return { name: "token mint", subject, scope, ttlMs };
    }
    default:
      throw new CommandUsageError(`there is no command ${JSON.stringify(name)}`);
  }
}

const OPTIONS = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  sub: { type: "string" },
  scope: { type: "string" },
  ttl: { type: "string" },
} as const;

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
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
