import { useEffect, useState } from "react";

/** Message about something that has happened. */
export interface News {
  readonly text: string;
  /** Email of a new user, who may not be on the page that is shown. */
  readonly createdEmail?: string;
  /** Whether something went wrong; the message then stays until the person does something else. */
  readonly isProblem?: boolean;
  /** Whether it is still going on; the message then stays until it is over. */
  readonly isOngoing?: boolean;
  /** Undoes it, while that is possible. */
  readonly onUndo?: () => void;
}

export const NO_NEWS: News = { text: "" };
/** Time for which good news is shown, in milliseconds. */
const SHOWN_MS = 10_000;

/**
 * Keeps the latest news until it is stale: for a while, or until another part of the directory is shown.
 *
 * @param view Key of the part that is shown.
 */
export function useNews(view: string): [News, (news: News) => void] {
  const [news, setNews] = useState(NO_NEWS);
  const [known, setKnown] = useState(view);
  if (known !== view) {
    setKnown(view);
    if (!news.isOngoing) setNews(NO_NEWS);
  }
  useEffect(() => {
    if (news.text === "" || news.isProblem || news.isOngoing) return;
    const timer = setTimeout(() => setNews(NO_NEWS), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [news]);
  return [news, setNews];
}
