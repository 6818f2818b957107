/** Orders of the directory that the contract knows, as people call them. */
export const ORDERS = {
  "create_time desc": "Newest first",
  create_time: "Oldest first",
  "update_time desc": "Changed last",
  update_time: "Changed first",
  name: "Name, A to Z",
  "name desc": "Name, Z to A",
  email: "Email, A to Z",
  "email desc": "Email, Z to A",
} as const;

export type Order = keyof typeof ORDERS;
type SortField = "create_time" | "update_time" | "name" | "email";

export const NEWEST_FIRST: Order = "create_time desc";

export function isOrder(text: string | null): text is Order {
  return text !== null && Object.hasOwn(ORDERS, text);
}

/** Returns the direction in which an order sorts by a field; undefined if it sorts by another one. */
export function directionOf(order: Order, field: SortField): "ascending" | "descending" | undefined {
  if (order === field) return "ascending";
  return order === `${field} desc` ? "descending" : undefined;
}

/** Returns the order after a click on a column's head: by that column, or reversed. Dates begin with the latest. */
export function nextOrder(order: Order, field: SortField): Order {
  const isDate = field.endsWith("_time");
  const before = directionOf(order, field) ?? (isDate ? "ascending" : "descending");
  return before === "ascending" ? `${field} desc` : field;
}
