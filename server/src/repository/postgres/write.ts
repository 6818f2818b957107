import type { Author } from "../../domain/logged-change.ts";
import { searchKey, type User } from "../../domain/user.ts";
import type { IdempotencyKey, UserChange } from "../user-repository.ts";

/** A change that waits for its transaction. */
export type Write =
  | {
      readonly kind: "insert";
      readonly user: User;
      readonly key: IdempotencyKey | undefined;
      readonly author: Author;
    }
  | {
      readonly kind: "update";
      readonly id: string;
      readonly change: UserChange;
      readonly expectedVersion: number | undefined;
      readonly author: Author;
    }
  | {
      readonly kind: "delete";
      readonly id: string;
      readonly expectedVersion: number | undefined;
      readonly author: Author;
    };

/** How a write of a committed transaction went. */
export type Outcome = { readonly value: User | undefined } | { readonly error: unknown };

/** Something that two concurrent transactions would block each other at. */
export interface Claim {
  readonly key: string;
  /** Whether it excludes other writes of the same transaction too. */
  readonly isExclusive: boolean;
}

/** Returns the claims of a write. */
export function claimsOf(write: Write): Claim[] {
  if (write.kind === "insert") {
    const { user, key } = write;
    const email = { key: `email ${searchKey(user.email)}`, isExclusive: false };
    if (!key) return [email];
    return [email, { key: `request ${JSON.stringify([key.principal, key.requestId])}`, isExclusive: true }];
  }
  const email = write.kind === "update" ? write.change.email : undefined;
  if (email === undefined) return [{ key: `user ${write.id}`, isExclusive: false }];
  return [
    { key: `user ${write.id}`, isExclusive: true },
    { key: `email ${searchKey(email)}`, isExclusive: true },
  ];
}
