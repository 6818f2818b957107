import { useEffect, useState } from "react";
import { type CallLink, readLink } from "./link.ts";

/** Link that was opened, numbered so that the same one can be opened twice. */
export interface OpenedLink extends CallLink {
  readonly number: number;
  readonly fragment: string;
}

/** Returns the call that the address names, as of the last time somebody went there. */
export function useOpenedLink(): OpenedLink {
  const [link, setLink] = useState<OpenedLink>(() => readOpened(0));
  useEffect(() => {
    const open = () => setLink(({ number }) => readOpened(number + 1));
    // It may have changed while the page was being drawn.
    setLink((first) => (first.fragment === location.hash ? first : readOpened(first.number + 1)));
    // The router dispatches the last one. A replaced address is this page's own note of what was sent.
    const events = ["hashchange", "popstate", "pushState"];
    for (const event of events) addEventListener(event, open);
    return () => {
      for (const event of events) removeEventListener(event, open);
    };
  }, []);
  return link;
}

function readOpened(number: number): OpenedLink {
  const { hash: fragment } = location;
  return { ...readLink(fragment), fragment, number };
}
