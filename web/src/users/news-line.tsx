import type { ReactNode } from "react";
import type { News } from "./use-news.ts";

/** Shows the latest news at the foot of the window, perhaps with a button after it. */
export function NewsLine({ news, children }: { news: News; children?: ReactNode }) {
  return (
    <p className="news" data-problem={news.isProblem} role="status">
      {news.text}
      {news.onUndo && (
        <button type="button" className="quiet" onClick={news.onUndo}>
          Undo
        </button>
      )}
      {children}
    </p>
  );
}
