import { useHistoryState, useSearch } from "wouter/use-browser-location";
import { navigate, usePath } from "../ui/location.tsx";
import { isOrder, NEWEST_FIRST, type Order } from "./order.ts";

export const PAGE_SIZES = [10, 25, 50, 100] as const;
const DEFAULT_PAGE_SIZE = 50;

/** Part of the directory that is shown. */
export interface View {
  /** Starts of words in name or email; empty for all users. */
  readonly filter: string;
  readonly order: Order;
  readonly pageSize: number;
  /** Number of the page, from 1. */
  readonly pageNumber: number;
  /**
   * Tokens of the pages up to this one, the first one empty. The server's pages only lead forward, so after a link to a
   * later page only the first one is known.
   */
  readonly pageTokens: readonly string[];
}

export interface ViewChanges {
  /** Shows the first page of other users, or of the same users in another way. */
  show(change: Partial<Pick<View, "filter" | "order" | "pageSize">>): void;
  /** Goes to the page of the last of these tokens, and adds a step to the browser's history. */
  turnTo(pageTokens: readonly string[]): void;
}

const FIRST_PAGE = [""];

/**
 * Keeps the view in the address and the history. A reload or a link shows it again, and the browser's own buttons move
 * through it.
 */
export function useView(): [View, ViewChanges] {
  const query = new URLSearchParams(useSearch());
  const state: unknown = useHistoryState();
  const path = usePath();
  const [size, page] = [Number(query.get("size")), Number(query.get("page"))];
  const order = query.get("order");
  const pageToken = query.get("after") ?? "";
  const view: View = {
    filter: query.get("q") ?? "",
    order: isOrder(order) ? order : NEWEST_FIRST,
    pageSize: PAGE_SIZES.find((known) => known === size) ?? DEFAULT_PAGE_SIZE,
    pageNumber: pageToken === "" ? 1 : Number.isSafeInteger(page) && page > 1 ? page : 2,
    pageTokens: tokensTo(pageToken, state),
  };
  const go = ({ filter, order, pageSize, pageNumber, pageTokens }: View, replace: boolean) => {
    const next = new URLSearchParams();
    if (filter) next.set("q", filter);
    if (order !== NEWEST_FIRST) next.set("order", order);
    if (pageSize !== DEFAULT_PAGE_SIZE) next.set("size", String(pageSize));
    if (pageNumber > 1) next.set("page", String(pageNumber));
    if (pageNumber > 1) next.set("after", pageTokens.at(-1) ?? "");
    const search = next.size > 0 ? `?${next}` : "";
    navigate(path + search, { replace, state: { pageTokens } });
  };
  const show: ViewChanges["show"] = (change) => go({ ...view, ...change, pageNumber: 1, pageTokens: FIRST_PAGE }, true);
  const turnTo: ViewChanges["turnTo"] = (pageTokens) => {
    const steps = pageTokens.length - view.pageTokens.length;
    go({ ...view, pageTokens, pageNumber: pageTokens.length === 1 ? 1 : view.pageNumber + steps }, false);
  };
  return [view, { show, turnTo }];
}

/** Returns the tokens up to a page's token: those in the history, if they lead to it. */
function tokensTo(pageToken: string, state: unknown): readonly string[] {
  if (pageToken === "") return FIRST_PAGE;
  const known = typeof state === "object" && state !== null && "pageTokens" in state ? state.pageTokens : undefined;
  return Array.isArray(known) && known.at(-1) === pageToken ? known : ["", pageToken];
}
