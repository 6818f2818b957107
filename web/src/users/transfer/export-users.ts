import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type User, UserSchema } from "@rollcall/gen/user/v1/user";
import type { FileFormat } from "@rollcall/shared/users-file/file-format";
import { USER_HEADER, userRecord } from "@rollcall/shared/users-file/user-record";
import { client } from "../../api/client.ts";

const PAGE_SIZE = 1_000;
/**
 * Largest file, in characters. The browser holds all of it in memory until it is saved; the command line has no such
 * limit.
 */
const MAX_LENGTH = 256 * 1_024 ** 2;

/** The file would be larger than a browser should hold. */
export class TooLargeError extends Error {
  override name = "TooLargeError";
}

export interface ExportOptions {
  format: FileFormat;
  filter: string;
  signal: AbortSignal;
  /** @param total Number of all users; undefined if it is more than the server counts. */
  onProgress(exported: number, total: number | undefined): void;
}

/** Returns a file of users in the order of their creation, in the format that imports read. @throws TooLargeError */
export async function exportUsers({ format, filter, signal, onProgress }: ExportOptions): Promise<Blob> {
  const parts = format === "csv" ? [USER_HEADER] : [];
  let [exported, length, pageToken] = [0, 0, ""];
  let total: number | undefined;
  do {
    const query = { pageSize: PAGE_SIZE, pageToken, filter, includeTotalSize: pageToken === "" };
    const page = await client.users.list(query, { signal });
    if (!page.totalSizeExceeded) total ??= page.totalSize;
    const text = page.users.map(format === "csv" ? recordOf : lineOf).join("");
    parts.push(text);
    length += text.length;
    if (length > MAX_LENGTH) throw new TooLargeError();
    exported += page.users.length;
    // Users who are added meanwhile are exported, too.
    onProgress(exported, total && Math.max(total, exported));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return new Blob(parts, { type: format === "csv" ? "text/csv" : "application/jsonl" });
}

function lineOf(user: User): string {
  return `${JSON.stringify(toJson(UserSchema, user))}\n`;
}

function recordOf(user: User): string {
  const [createdAt, updatedAt] = [user.createdAt, user.updatedAt].map((time) => time && timestampDate(time));
  return userRecord({ ...user, createdAt, updatedAt });
}
