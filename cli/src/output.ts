import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { RollcallError, UserNotFoundError, ValidationError } from "@rollcall/client";
import { type User, UserSchema } from "@rollcall/gen/user/v1/user";
import Table from "cli-table3";
import type { Output } from "./io.ts";

const COLUMNS = ["ID", "E-MAIL", "NAME", "CREATED"];

/** Writes users as a table on a terminal; elsewhere one user a line, with tabs between the fields. */
export function writeUsers(output: Output, users: readonly User[]): void {
  const rows = users.map(({ id, email, name, createdAt }) =>
    [id, email, name, createdAt ? timestampDate(createdAt).toISOString() : ""].map(printable),
  );
  if (output.isTTY) {
    const table = new Table({ head: COLUMNS, style: { head: [], border: [], compact: true } });
    table.push(...rows);
    output.write(`${table}\n`);
  } else {
    for (const row of rows) output.write(`${row.join("\t")}\n`);
  }
}

export function userToJson(user: User): string {
  return JSON.stringify(toJson(UserSchema, user));
}

/** An error's code, its message, the user that is missing and the fault of each field. */
export interface ErrorReport {
  /** Code such as `not_found`; undefined for an error of this machine. */
  readonly code: string | undefined;
  readonly message: string;
  /** The id that no user has, as the server repeats it. */
  readonly userId?: string;
  readonly violations: readonly { readonly field: string; readonly description: string }[];
}

export function reportOf(error: unknown): ErrorReport {
  const violations = error instanceof ValidationError ? error.violations : [];
  if (error instanceof RollcallError) {
    const missing = error instanceof UserNotFoundError && { userId: error.userId };
    return { code: codeToString(error.code), message: plainMessage(error.message), ...missing, violations };
  }
  if (error instanceof ConnectError) {
    return { code: codeToString(error.code), message: plainMessage(error.rawMessage), violations };
  }
  return { code: undefined, message: plainMessage(error instanceof Error ? error.message : String(error)), violations };
}

/** Replaces the library's names by the command's options: `tls.ca` by `--ca`. */
function plainMessage(message: string): string {
  return message.replace(/\btls\.(ca|cert|key)\b/g, "--$1");
}

/** Formats an error as `code: message`, with the user that is missing, and a line for each field that is wrong. */
export function reportText({ code, message, userId, violations }: ErrorReport): string {
  // The id must not begin a line of its own.
  const sentence = userId ? `${message}: ${printable(userId)}` : message;
  const first = code === undefined ? sentence : `${code}: ${sentence}`;
  const lines = [first, ...violations.map(({ field, description }) => `  ${field}: ${description}`)];
  return lines
    .flatMap((line) => line.split("\n"))
    .map(printable)
    .join("\n");
}

/** Replaces control characters: users' names must not control a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\uFFFD");
}
