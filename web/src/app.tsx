import { lazy, Suspense } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";
import { Crash } from "./components/crash.tsx";
import { Shell } from "./components/shell.tsx";
import { SignInPage } from "./pages/sign-in-page.tsx";
import { useSessionState } from "./session.ts";

const UsersPage = lazy(async () => ({ default: (await import("./pages/users-page.tsx")).UsersPage }));
const QueryPage = lazy(async () => ({ default: (await import("./pages/query-page.tsx")).QueryPage }));
const UploadPage = lazy(async () => ({ default: (await import("./pages/upload-page.tsx")).UploadPage }));
const ChatPage = lazy(async () => ({ default: (await import("./pages/chat-page.tsx")).ChatPage }));

/** The whole app: the sign-in page, or the pages of who is signed in. */
export function App() {
  const state = useSessionState();
  const [path] = useLocation();
  if (state.status !== "in") return <SignInPage state={state} />;
  return (
    <Shell session={state.session}>
      {/* A page that fails takes no other with it. */}
      <Crash key={path}>
        <Suspense fallback={<p className="page-loading">Loading…</p>}>
          <Switch>
            <Route path="/">
              <Redirect to="/users" replace />
            </Route>
            <Route path="/users" component={UsersPage} />
            <Route path="/query" component={QueryPage} />
            <Route path="/upload" component={UploadPage} />
            <Route path="/chat" component={ChatPage} />
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
