import type { ListUsersResponse } from "@rollcall/gen/user/v1/user";

const number = new Intl.NumberFormat();

/** Returns in words how many users there are on all pages together; undefined if the server does not say. */
export function totalText({ totalSize, totalSizeExceeded }: ListUsersResponse): string | undefined {
  if (totalSize === undefined) return undefined;
  if (totalSizeExceeded) return `more than ${number.format(totalSize)} users`;
  return totalSize === 1 ? "1 user" : `${number.format(totalSize)} users`;
}
