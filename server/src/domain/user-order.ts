import { searchKey, type User } from "./user.ts";

/** Order of a list. Users with equal values are ordered by their ids, in the same direction. */
export interface UserOrder {
  /** Times are compared as numbers; names and e-mails by the code points of their search keys. */
  readonly by: "createdAt" | "updatedAt" | "name" | "email";
  readonly descending: boolean;
}

/** Place in an order. The user there may no longer exist. */
export interface Cursor {
  /** A time in milliseconds, or the search key of a name or an e-mail. */
  readonly value: number | string;
  readonly id: string;
}

export const BY_CREATION: UserOrder = { by: "createdAt", descending: false };

/** Returns the user's place in the order. */
export function placeOf(user: User, { by }: UserOrder): Cursor {
  switch (by) {
    case "createdAt":
      return { value: user.createdAtMs, id: user.id };
    case "updatedAt":
      return { value: user.updatedAtMs, id: user.id };
    case "name":
      return { value: searchKey(user.name), id: user.id };
    case "email":
      return { value: searchKey(user.email), id: user.id };
  }
}
