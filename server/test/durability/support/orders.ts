import type { PageOrder, ReadPage } from "./churn.ts";
import { CALL } from "./connect-users.ts";

const readPageBy =
  (orderBy: string, filter = ""): ReadPage =>
  (client, page) =>
    client.listUsers({ ...page, orderBy, filter }, CALL);

/** The orders in which pages can be read. */
export const orders: readonly PageOrder[] = [
  { order: "of creation", isMovedByChange: false, readPage: readPageBy("") },
  { order: "of creation, latest first", isMovedByChange: false, readPage: readPageBy("create_time desc") },
  { order: "of names", isMovedByChange: true, readPage: readPageBy("name") },
  { order: "of e-mails", isMovedByChange: true, readPage: readPageBy("email") },
  { order: "of changes, latest first", isMovedByChange: true, readPage: readPageBy("update_time desc") },
  // All users match the word.
  { order: "of names, found by a word", isMovedByChange: true, readPage: readPageBy("name", "exam") },
];
