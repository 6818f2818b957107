import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { User } from "@rollcall/gen/user/v1/user";
import type { FileFormat } from "./file-format.ts";
import { userToJson } from "./output.ts";

const CSV_HEADER = "id,email,name,created_at,updated_at,etag\n";

/** Formats users as lines of a file that `users import` reads again. */
export interface RowFormat {
  /** Text at the beginning of the file. */
  readonly header: string;
  /** Returns the lines of users, each with its line end. */
  rows(users: readonly User[]): string;
}

export const ROW_FORMATS: Readonly<Record<FileFormat, RowFormat>> = {
  csv: { header: CSV_HEADER, rows: (users) => users.map(csvRow).join("") },
  jsonl: { header: "", rows: (users) => users.map((user) => `${userToJson(user)}\n`).join("") },
};

/** Formats a user as a CSV record (RFC 4180), exactly: spreadsheets may take a name for a formula. */
function csvRow({ id, email, name, createdAt, updatedAt, etag }: User): string {
  const times = [createdAt, updatedAt].map((time) => (time ? timestampDate(time).toISOString() : ""));
  return `${[id, email, name, ...times, etag].map(csvField).join(",")}\n`;
}

function csvField(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
