import { Suspense, useEffect, useRef } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";
import { ROUTES } from "./routes.ts";
import { useSessionState } from "./session/session.ts";
import { SignInPage } from "./session/sign-in-page.tsx";
import { Crash } from "./ui/crash.tsx";
import { Shell } from "./ui/shell.tsx";

/** Shows the sign-in page, or the pages to a person who is signed in. */
export function App() {
  const state = useSessionState();
  const [path] = useLocation();
  const who = state.status === "in" ? state.session.token : state.status;
  const shown = useRef(who);
  useEffect(() => {
    // Somebody has signed in or out: a screen reader and the keyboard start at the top.
    if (shown.current !== who) document.querySelector("main")?.focus();
    shown.current = who;
  }, [who]);

  if (state.status !== "in") return <SignInPage state={state} key={who} />;
  return (
    // The key gives each session a page of its own, so that nothing goes on in the name of the next person.
    <Shell session={state.session} offer={state.offer} key={who}>
      {/* A page that fails leaves the others usable. */}
      <Crash key={path}>
        <Suspense fallback={<p className="page-loading">Loading…</p>}>
          <Switch>
            <Route path="/">
              <Redirect to={ROUTES[0].path} replace />
            </Route>
            {ROUTES.map(({ path, Page }) => (
              <Route key={path} path={path} component={Page} />
            ))}
            <Route>
              <section className="notice">
                <h1>There is no such page</h1>
                <p>The links above lead to those that there are.</p>
              </section>
            </Route>
          </Switch>
        </Suspense>
      </Crash>
    </Shell>
  );
}
