import { type AnchorHTMLAttributes, type MouseEvent, useLayoutEffect } from "react";
import { navigate as navigateTo, usePathname } from "wouter/use-browser-location";
import { BASE_PATH } from "../base.ts";

/** Returns the path of the page, without the app's own path before it and without a slash at the end: `/users`. */
export function usePath(): string {
  const path = usePathname();
  const own = path.startsWith(BASE_PATH) ? path.slice(BASE_PATH.length) : path;
  return own.replace(/\/$/, "") || "/";
}

/** Goes to a page of the app. */
export function navigate(path: string, options?: { replace?: boolean; state?: unknown }): void {
  navigateTo(BASE_PATH + path, options);
}

/** Link to a page of the app; following it does not load the app again. */
export function Link({ href, ...attributes }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const follow = (event: MouseEvent) => {
    // With these, the browser opens another tab or window.
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    navigate(href);
  };
  return <a href={BASE_PATH + href} onClick={follow} {...attributes} />;
}

/** Goes to another page, without adding a step to the history. */
export function Redirect({ to }: { to: string }) {
  useLayoutEffect(() => navigate(to, { replace: true }), [to]);
  return null;
}
