import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { User } from "@rollcall/gen/user/v1/user";
import type { FileFormat } from "@rollcall/shared/users-file/file-format";
import { USER_HEADER, userRecord } from "@rollcall/shared/users-file/user-record";
import { userToJson } from "./output.ts";

/** Formats users as lines of a file that `users import` reads again. */
export interface RowFormat {
  /** Text at the beginning of the file. */
  readonly header: string;
  /** Returns the lines of users, each with its line end. */
  rows(users: readonly User[]): string;
}

export const ROW_FORMATS: Readonly<Record<FileFormat, RowFormat>> = {
  csv: { header: USER_HEADER, rows: (users) => users.map(rowOf).join("") },
  jsonl: { header: "", rows: (users) => users.map((user) => `${userToJson(user)}\n`).join("") },
};

function rowOf({ createdAt, updatedAt, ...user }: User): string {
  return userRecord({ ...user, createdAt: dateOf(createdAt), updatedAt: dateOf(updatedAt) });
}

function dateOf(time: Timestamp | undefined): Date | undefined {
  return time && timestampDate(time);
}
