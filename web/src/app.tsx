import { Activity, Suspense, useEffect, useRef } from "react";
import { findRoute, ROUTES } from "./routes.ts";
import { useSessionState } from "./session/session.ts";
import { preloadSignIn, SignIn, Waiting } from "./session/sign-in-frame.tsx";
import { Crash } from "./ui/crash.tsx";
import { Redirect, usePath } from "./ui/location.tsx";
import { Shell } from "./ui/shell.tsx";
import { useFirstSign } from "./ui/use-first-sign.ts";

/** Paths that lead on to the first page. */
const STARTS: readonly string[] = ["/", "/signed-out"];

/** Shows the sign-in page, or the pages to a person who is signed in. */
export function App() {
  const state = useSessionState();
  const path = usePath();
  const isIn = state.status === "in";
  const who = isIn ? state.session.key : state.status;
  const shown = useRef(who);
  useEffect(() => {
    // Somebody has signed in or out: a screen reader and the keyboard start at the top.
    if (shown.current !== who) document.querySelector("main")?.focus();
    shown.current = who;
  }, [who]);

  useFirstSign(preloadSignIn);
  const page = findRoute(path);

  return (
    <>
      {state.status === "busy" && <Waiting text={state.text} />}
      {state.status !== "in" && state.status !== "busy" && <SignIn state={state} key={who} />}
      {"session" in state && (
        // The key gives each session a page of its own, so that nothing continues in the name of the next person. When
        // a session ends by itself, its page is kept for the same person, with everything that was typed.
        <Activity mode={isIn ? "visible" : "hidden"} key={state.session.key}>
          <Shell
            session={state.session}
            offer={isIn ? state.offer : undefined}
            notice={isIn ? state.notice : undefined}
          >
            {/* A page that fails leaves the others usable. */}
            <Crash key={path}>
              <Suspense fallback={<p className="page-loading">Loading…</p>}>
                {STARTS.includes(path) ? <Redirect to={ROUTES[0].path} /> : page ? <page.Page /> : <NoSuchPage />}
              </Suspense>
            </Crash>
          </Shell>
        </Activity>
      )}
    </>
  );
}

function NoSuchPage() {
  return (
    <section className="notice">
      <h1>There is no such page</h1>
      <p>The links above lead to those that there are.</p>
    </section>
  );
}
