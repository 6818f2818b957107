import { lazy, Suspense, useEffect, useRef } from "react";
import { ROUTES } from "./routes.ts";
import { useSessionState } from "./session/session.ts";
import { Crash } from "./ui/crash.tsx";
import { Redirect, usePath } from "./ui/location.tsx";
import { Shell } from "./ui/shell.tsx";
import { useFirstSign } from "./ui/use-first-sign.ts";

const loadSignIn = () => import("./session/sign-in-page.tsx");
/** A person who is signed in needs it only later, perhaps when the server is away. */
const preloadSignIn = () => void loadSignIn().catch(() => {});
const SignInPage = lazy(async () => ({ default: (await loadSignIn()).SignInPage }));

/** Shows the sign-in page, or the pages to a person who is signed in. */
export function App() {
  const state = useSessionState();
  const path = usePath();
  const who = state.status === "in" ? state.session.token : state.status;
  const shown = useRef(who);
  useEffect(() => {
    // Somebody has signed in or out: a screen reader and the keyboard start at the top.
    if (shown.current !== who) document.querySelector("main")?.focus();
    shown.current = who;
  }, [who]);

  useFirstSign(preloadSignIn);
  const page = ROUTES.find((route) => route.path === path);

  if (state.status !== "in") {
    return (
      <Crash>
        <Suspense>
          <SignInPage state={state} key={who} />
        </Suspense>
      </Crash>
    );
  }
  return (
    // The key gives each session a page of its own, so that nothing goes on in the name of the next person.
    <Shell session={state.session} offer={state.offer} key={who}>
      {/* A page that fails leaves the others usable. */}
      <Crash key={path}>
        <Suspense fallback={<p className="page-loading">Loading…</p>}>
          {path === "/" ? <Redirect to={ROUTES[0].path} /> : page ? <page.Page /> : <NoSuchPage />}
        </Suspense>
      </Crash>
    </Shell>
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
