import type { ReadPage } from "./churn.ts";
import { CALL } from "./connect-users.ts";

/** The orders in which pages can be read, and whether a change of a user can move it there. */
export const orders: readonly { order: string; isMovedByChange: boolean; readPage: ReadPage }[] = [
  {
    order: "of creation",
    isMovedByChange: false,
    readPage: (client, page) => client.listUsers(page, CALL),
  },
];
