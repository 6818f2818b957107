import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from "../limits.ts";

/** Returns the size of the requested page: the default for 0 or less, never more than the maximum (AIP-158). */
export function sizeOf(pageSize: number): number {
  return pageSize > 0 ? Math.min(pageSize, MAX_PAGE_SIZE) : DEFAULT_PAGE_SIZE;
}
