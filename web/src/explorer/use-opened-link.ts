import { useEffect, useState } from "react";
import { type CallLink, readLink } from "./link.ts";

/** Link that was opened, numbered so that the same one can be opened twice. */
export interface OpenedLink extends CallLink {
  readonly number: number;
  readonly fragment: string;
}

/** Returns the call that the address names, as of the last navigation to it. */
export function useOpenedLink(): OpenedLink {
  const [link, setLink] = useState<OpenedLink>(() => readOpened(0));
  useEffect(() => {
    const open = () => setLink(({ number }) => readOpened(number + 1));
    // The address may have changed while the page was being drawn.
    setLink((first) => (first.fragment === location.hash ? first : readOpened(first.number + 1)));
    // The router dispatches the last two. A replaced address is only this page's own note of the sent call.
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
