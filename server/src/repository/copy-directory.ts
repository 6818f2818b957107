import { createHash } from "node:crypto";
import type { BulkCounts, BulkReader, BulkWriter, StoredRequest, StoredUser } from "./bulk.ts";

/** A directory can't be copied. The message says why and what to do. */
export class CopyError extends Error {
  override name = "CopyError";
}

export interface CopyOptions {
  /** Aborted to stop; the target stays empty then. */
  readonly signal: AbortSignal;
  /** Called as users are written. */
  onProgress(doneUsers: number, totalUsers: number): void;
  /** Called when all is written, before it is read back. */
  onCheck(): void;
}

export interface CopiedDirectory extends BulkCounts {
  /** SHA-256 of all rows, in hexadecimal digits; the same on both sides. */
  readonly digest: string;
}

/**
 * Copies a directory into an empty one: users with their ids, times and versions, create requests, and the key of page
 * tokens. Reads the rows back, compares them with the source's, and only then commits: the target has all, or nothing.
 *
 * @throws CopyError when the target is not empty, or differs from the source.
 */
export async function copyDirectory(from: BulkReader, to: BulkWriter, options: CopyOptions): Promise<CopiedDirectory> {
  const there = await to.counts();
  if (there.users > 0 || there.requests > 0) {
    throw new CopyError(
      `the target has ${there.users} users and ${there.requests} request ids: copy into an empty one`,
    );
  }
  const { users } = await from.counts();
  let done = 0;
  const source = await digestOf(from, options.signal, {
    async onUsers(rows) {
      await to.addUsers(rows);
      done += rows.length;
      options.onProgress(done, users);
    },
    onRequests: (rows) => to.addRequests(rows),
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

interface RowSteps {
  onUsers?(rows: readonly StoredUser[]): Promise<void>;
  onRequests?(rows: readonly StoredRequest[]): Promise<void>;
}

/** Reads all rows, counts them and computes their digest. */
async function digestOf(reader: BulkReader, signal: AbortSignal, steps: RowSteps = {}): Promise<CopiedDirectory> {
  const hash = createHash("sha256");
  const add = (...values: (string | number)[]) => hash.update(`${JSON.stringify(values)}\n`);
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
  hash.update(await reader.pageTokenKey());
  return { users, requests, digest: hash.digest("hex") };
}
