import { useHistoryState, useSearch } from "wouter/use-browser-location";
import { navigate, usePath } from "../ui/location.tsx";

export const PAGE_SIZES = [10, 25, 100] as const;

/** Part of the directory that is shown. */
interface View {
  /** Starts of words in name or email; empty for all users. */
  readonly filter: string;
  readonly pageSize: number;
  /** Tokens of the pages up to this one, the first one empty. The server's pages only lead forward. */
  readonly pageTokens: readonly string[];
}

const FIRST_PAGE = [""];

/**
 * Keeps the view in the address and the history: a reload shows it again, the browser's
 * own buttons lead through it, and a link leads to its first page.
 *
 * @returns The view, and a function that changes it. Only turning a page adds a step to the history.
 */
export function useView(): [View, (change: Partial<View>) => void] {
  const query = new URLSearchParams(useSearch());
  const state: unknown = useHistoryState();
  const path = usePath();
  const size = Number(query.get("size"));
  const view: View = {
    filter: query.get("q") ?? "",
    pageSize: PAGE_SIZES.find((known) => known === size) ?? PAGE_SIZES[0],
    pageTokens: isTokens(state) ? state.pageTokens : FIRST_PAGE,
  };
  const show = (change: Partial<View>) => {
    const { filter, pageSize, pageTokens } = { ...view, pageTokens: FIRST_PAGE, ...change };
    const next = new URLSearchParams();
    if (filter) next.set("q", filter);
    if (pageSize !== PAGE_SIZES[0]) next.set("size", String(pageSize));
    const search = next.size > 0 ? `?${next}` : "";
    navigate(path + search, { replace: change.pageTokens === undefined, state: { pageTokens } });
  };
  return [view, show];
}

function isTokens(state: unknown): state is Pick<View, "pageTokens"> {
  return typeof state === "object" && state !== null && "pageTokens" in state && Array.isArray(state.pageTokens);
}
