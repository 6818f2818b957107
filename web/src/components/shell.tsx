import { type ReactNode, useEffect, useRef } from "react";
import { Link, useLocation } from "wouter";
import { type Session, signOut } from "../session.ts";

const PAGES = [
  { path: "/users", title: "Users" },
  { path: "/query", title: "Query" },
  { path: "/upload", title: "Upload" },
  { path: "/chat", title: "Chat" },
] as const;

/** What stands around every page: where one can go, and who is signed in. */
export function Shell({ session, children }: { session: Session; children: ReactNode }) {
  const [location] = useLocation();
  const main = useRef<HTMLElement>(null);
  const title = PAGES.find(({ path }) => path === location)?.title;
  const shown = useRef(location);
  useEffect(() => {
    document.title = title ? `${title} · Rollcall` : "Rollcall";
    // A new page: whoever reads with a screen reader or the keyboard starts at its top.
    if (shown.current !== location && shown.current !== "/") main.current?.focus();
    shown.current = location;
  }, [title, location]);

  return (
    <>
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <header className="site-header">
        <span className="wordmark">Rollcall</span>
        <nav aria-label="Pages">
          {PAGES.map((page) => (
            <Link key={page.path} href={page.path} aria-current={page.path === location ? "page" : undefined}>
              {page.title}
            </Link>
          ))}
        </nav>
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
          <button type="button" className="quiet" onClick={signOut}>
            Sign out
          </button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {children}
      </main>
    </>
  );
}
