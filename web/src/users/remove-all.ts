import { UserNotFoundError } from "@rollcall/client";
import type { User } from "@rollcall/gen/user/v1/user";
import { client } from "../api/client.ts";
import { describeError, isOutcomeUnknown } from "../api/errors.ts";
import { inParallel } from "../api/in-parallel.ts";
import { signalOfSession } from "../session/signal-of-session.ts";

/** Number of users that are removed at a time. */
const AT_ONCE = 8;

/** User who could not be removed, and why. */
export interface KeptUser {
  readonly user: User;
  readonly error: unknown;
}

/** Removes users, each only if it is unchanged since it was shown. Returns those who could not be removed. */
export async function removeAll(users: readonly User[]): Promise<readonly KeptUser[]> {
  const kept: KeptUser[] = [];
  const signal = signalOfSession();
  await inParallel(users, AT_ONCE, async (user) => {
    try {
      await client.users.delete(user.id, { etag: user.etag, signal });
    } catch (error) {
      // If the user is gone, it does not matter who deleted it.
      if (!(error instanceof UserNotFoundError)) kept.push({ user, error });
    }
  });
  return kept;
}

/** Describes the outcome of removing several users. */
export function removalText(users: readonly User[], kept: readonly KeptUser[]): string {
  const removed = users.length - kept.length;
  const [first] = kept;
  if (!first) return `${countUsers(removed)} deleted.`;
  const others = kept.length > 1 ? ` and ${kept.length - 1} more` : "";
  const isUnknown = kept.some(({ error }) => isOutcomeUnknown(error));
  const verb = isUnknown ? "may not have been" : kept.length > 1 ? "were not" : "was not";
  return `${removed} of ${countUsers(users.length)} deleted. ${first.user.name}${others} ${verb}: ${describeError(first.error)}`;
}

/** Makes the beginning of a sentence about some users: "1 user was" or "3 users were". */
function countUsers(count: number): string {
  return count === 1 ? "1 user was" : `${count} users were`;
}
