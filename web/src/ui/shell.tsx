import "./shell.css";
import { type ReactNode, useEffect, useRef } from "react";
import { Link, useLocation } from "wouter";
import { ROUTES } from "../routes.ts";
import { answerOffer, type Session, signOut } from "../session/session.ts";
import { Announcer } from "./announcer.tsx";

export interface ShellProps {
  session: Session;
  /** Another session, which the link that led here offers. */
  offer: Session | undefined;
  children: ReactNode;
}

/** What stands around every page: where one can go, and who is signed in. */
export function Shell({ session, offer, children }: ShellProps) {
  const [path] = useLocation();
  const location = path.replace(/(.)\/$/, "$1");
  const main = useRef<HTMLElement>(null);
  const isSame = offer?.subject === session.subject;
  const title = ROUTES.find(({ path }) => path === location)?.title;
  const shown = useRef(location);
  useEffect(() => {
    document.title = title ? `${title} · Rollcall` : "Rollcall";
    // A new page: whoever reads with a screen reader or the keyboard starts at its top.
    if (shown.current !== location && shown.current !== "/") main.current?.focus();
    shown.current = location;
  }, [title, location]);

  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it goes to a place in the page, only not by a step in the history */}
      <a
        className="skip-link"
        href="#main"
        onClick={(event) => {
          // To follow the link would be a step in the history, away from the page of users that is shown.
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
      <Announcer />
      {offer && (
        <section className="offer" aria-label="Another session">
          <p role="alert">
            The link that you followed signs in as <strong>{offer.subject}</strong>
            {isSame ? ", with another token." : ", and you are signed in as "}
            {!isSame && <strong>{session.subject}</strong>}
            {!isSame && "."}
          </p>
          <div className="choices">
            <button
              type="button"
              onClick={() => {
                answerOffer(false);
                main.current?.focus();
              }}
            >
              {isSame ? "Keep this token" : `Stay ${session.subject}`}
            </button>
            <button type="button" onClick={() => answerOffer(true)}>
              {isSame ? "Take the other" : `Become ${offer.subject}`}
            </button>
          </div>
        </section>
      )}
      <main id="main" ref={main} tabIndex={-1}>
        {children}
      </main>
    </>
  );
}
