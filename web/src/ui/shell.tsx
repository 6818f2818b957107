import "./shell.css";
import { lazy, type ReactNode, Suspense, useEffect, useRef } from "react";
import { PaletteHost } from "../palette/palette-host.tsx";
import { findRoute, ROUTES } from "../routes.ts";
import type { Session } from "../session/session.ts";
import { signOut } from "../session/sign-out.ts";
import { Announcer } from "./announcer.tsx";
import { Crash } from "./crash.tsx";
import { DocsLink } from "./docs-link.tsx";
import { Link, usePath } from "./location.tsx";

/** Loaded only when a link has led here and there is a message about it for a person who is signed in. */
const LinkNews = lazy(async () => ({ default: (await import("../session/link-news.tsx")).LinkNews }));

export interface ShellProps {
  session: Session;
  /** Another session, offered by the link that led here. */
  offer: Session | undefined;
  /** Fault of the link that led here, in words. */
  notice: string | undefined;
  children: ReactNode;
}

/** Frame of every page: the navigation, and who is signed in. */
export function Shell({ session, offer, notice, children }: ShellProps) {
  const location = usePath();
  const main = useRef<HTMLElement>(null);
  const current = findRoute(location)?.route;
  const isDetail = current !== undefined && current.path !== location;
  const title = current?.title;
  const shown = useRef(location);
  useEffect(() => {
    if (!isDetail) document.title = title ? `${title} · Rollcall` : "Rollcall";
    // On a new page, screen reader and keyboard start at the top.
    if (shown.current !== location && shown.current !== "/") main.current?.focus();
    shown.current = location;
  }, [title, isDetail, location]);

  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it goes to a place in the page, only not by a step in the history */}
      <a
        className="skip-link"
        href="#main"
        onClick={(event) => {
          // Following the link would add a step to the history, and forget which page of users is shown.
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to content
      </a>
      <header className="site-header">
        <span className="wordmark">Rollcall</span>
        <nav aria-label="Pages">
          {ROUTES.map((page) => (
            <Link
              key={page.path}
              href={page.path}
              aria-current={page.path === current?.path ? (isDetail ? "true" : "page") : undefined}
            >
              {page.title}
            </Link>
          ))}
          <DocsLink>Docs</DocsLink>
        </nav>
        <PaletteHost />
        <div className="who">
          <p>
            <span className="who-name">{session.subject}</span>
            <span className="scopes">
              {session.scopes.map((scope) => (
                <span key={scope}>{scope} </span>
              ))}
              {session.scopes.length === 0 && "no scopes"}
            </span>
          </p>
          <button type="button" className="quiet" onClick={() => void signOut()}>
            Sign out
          </button>
        </div>
      </header>
      <Announcer />
      {(offer || notice) && (
        <Crash>
          <Suspense>
            <LinkNews session={session} offer={offer} notice={notice} onDismiss={() => main.current?.focus()} />
          </Suspense>
        </Crash>
      )}
      <main id="main" ref={main} tabIndex={-1}>
        {children}
      </main>
    </>
  );
}
