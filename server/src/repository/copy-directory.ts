import { createHash } from "node:crypto";
import { counted } from "@rollcall/shared/counted";
import type { BulkCounts, BulkReader, BulkWriter, StoredChange, StoredRequest, StoredUser } from "./bulk.ts";

/** A directory can't be copied. The message says why and what to do. */
export class CopyError extends Error {
  override name = "CopyError";
}

export interface CopyOptions {
  /** Aborted to stop; the target then stays empty. */
  readonly signal: AbortSignal;
  /** Called as rows are written. */
  onProgress(doneRows: number, totalRows: number): void;
  /** Called when everything is written, before it is read back. */
  onCheck(): void;
}

export interface CopiedDirectory extends BulkCounts {
  /** SHA-256 of all rows, in hexadecimal digits; the same on both sides. */
  readonly digest: string;
}

/**
 * Copies a directory into an empty one: users with their ids, times and versions, create requests, the log of changes,
 * and the key of page tokens. Reads the rows back, compares them with the source's, and only then commits. The target
 * thus has everything or nothing.
 *
 * @throws CopyError when the target is not empty, or differs from the source.
 */
export async function copyDirectory(from: BulkReader, to: BulkWriter, options: CopyOptions): Promise<CopiedDirectory> {
  const there = await to.counts();
  if (there.users > 0 || there.requests > 0 || there.changes > 0) {
    throw new CopyError(`the target has ${describeRows(there)}: copy into an empty one`);
  }
  const { users, requests, changes } = await from.counts();
  const total = users + requests + changes;
  let done = 0;
  const report = (rows: readonly unknown[]) => {
    done += rows.length;
    options.onProgress(done, total);
  };
  const source = await digestOf(from, options.signal, {
    onUsers: (rows) => to.addUsers(rows).then(() => report(rows)),
    onRequests: (rows) => to.addRequests(rows).then(() => report(rows)),
    onChanges: (rows) => to.addChanges(rows).then(() => report(rows)),
  });
  await to.setPageTokenKey(await from.pageTokenKey());
  options.onCheck();
  const target = await digestOf(to, options.signal);
  if (JSON.stringify(source) !== JSON.stringify(target)) {
    throw new CopyError("the rows that were written differ from the source's; nothing was kept");
  }
  options.signal.throwIfAborted();
  await to.commit();
  return source;
}

/** Returns the numbers of rows in words, such as "4 users, 5 request ids and 6 changes". */
export function describeRows({ users, requests, changes }: BulkCounts): string {
  const withNoun = (count: number, noun: string) => counted(count, noun, (number) => number.toLocaleString("en"));
  return `${withNoun(users, "user")}, ${withNoun(requests, "request id")} and ${withNoun(changes, "change")}`;
}

interface RowSteps {
  onUsers?(rows: readonly StoredUser[]): Promise<void>;
  onRequests?(rows: readonly StoredRequest[]): Promise<void>;
  onChanges?(rows: readonly StoredChange[]): Promise<void>;
}

/** Reads all rows, counts them and computes their digest. */
async function digestOf(reader: BulkReader, signal: AbortSignal, steps: RowSteps = {}): Promise<CopiedDirectory> {
  const hash = createHash("sha256");
  const add = (...values: (string | number | null)[]) => hash.update(`${JSON.stringify(values)}\n`);
  let users = 0;
  for await (const rows of reader.users()) {
    signal.throwIfAborted();
    for (const { id, email, emailKey, name, createdAtMs, updatedAtMs, version } of rows) {
      add(id, email, emailKey, name, createdAtMs, updatedAtMs, version);
    }
    users += rows.length;
    await steps.onUsers?.(rows);
  }
  let requests = 0;
  for await (const rows of reader.requests()) {
    signal.throwIfAborted();
    for (const { principal, requestId, requestHash, response, createdAtMs } of rows) {
      add(principal, requestId, requestHash, response, createdAtMs);
    }
    requests += rows.length;
    await steps.onRequests?.(rows);
  }
  let changes = 0;
  for await (const rows of reader.changes()) {
    signal.throwIfAborted();
    for (const { userId, changedAtMs, changedBy, before, after } of rows) {
      add(userId, changedAtMs, changedBy, before, after);
    }
    changes += rows.length;
    await steps.onChanges?.(rows);
  }
  hash.update(await reader.pageTokenKey());
  return { users, requests, changes, digest: hash.digest("hex") };
}
