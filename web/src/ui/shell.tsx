import "./shell.css";
import { type ReactNode, useEffect, useRef } from "react";
import { ROUTES } from "../routes.ts";
import { answerOffer, type Session, signOut } from "../session/session.ts";
import { Announcer } from "./announcer.tsx";
import { Link, usePath } from "./location.tsx";

export interface ShellProps {
  session: Session;
  /** Another session, offered by the link that led here. */
  offer: Session | undefined;
  children: ReactNode;
}

/** Frame of every page: the navigation, and who is signed in. */
export function Shell({ session, offer, children }: ShellProps) {
  const location = usePath();
  const main = useRef<HTMLElement>(null);
  const isSame = offer?.subject === session.subject;
  const title = ROUTES.find(({ path }) => path === location)?.title;
  const shown = useRef(location);
  useEffect(() => {
    document.title = title ? `${title} · Rollcall` : "Rollcall";
    // On a new page, a screen reader and the keyboard start at the top.
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
