import { Button } from "../ui/button.tsx";
import type { View, ViewChanges } from "./use-view.ts";

export interface PagerProps extends Pick<ViewChanges, "turnTo"> {
  /** Name of the navigation, since a page has two. */
  label: string;
  view: View;
  /** Token of the next page; empty if there is none, or if it is not known yet. */
  next: string;
}

/** Leads to the previous and the next page. */
export function Pager({ label, view: { pageNumber, pageTokens }, next, turnTo }: PagerProps) {
  // A link led to this page, so the pages between it and the first are not known.
  const isFromLink = pageTokens.length === 2 && pageNumber > 2;
  return (
    <nav className="pager" aria-label={label}>
      <span>Page {pageNumber}</span>
      <Button isOff={pageNumber === 1} onClick={() => turnTo(pageTokens.slice(0, -1))}>
        {isFromLink ? "First" : "Previous"}
      </Button>
      <Button isOff={next === ""} onClick={() => turnTo([...pageTokens, next])}>
        Next
      </Button>
    </nav>
  );
}
