import "./sign-in-page.css";
import { lazy, type ReactNode, Suspense } from "react";
import { Crash } from "../ui/crash.tsx";
import type { OutState } from "./session.ts";

const loadSignIn = () => import("./sign-in-page.tsx");
/**
 * Loads the sign-in page for a person who is signed in, since it may be needed later, when the server is unavailable.
 */
export const preloadSignIn = () => void loadSignIn().catch(() => {});
const SignInPage = lazy(async () => ({ default: (await loadSignIn()).SignInPage }));

/** Shows how to sign in. */
export function SignIn({ state }: { state: OutState }) {
  return (
    <Frame>
      <Crash>
        <Suspense fallback={<p className="page-loading">Loading…</p>}>
          <SignInPage state={state} />
        </Suspense>
      </Crash>
    </Frame>
  );
}

/** Says what the page is waiting for, on the way to the provider or back. */
export function Waiting({ text }: { text: string }) {
  return (
    <Frame>
      <p role="status">{text}</p>
    </Frame>
  );
}

function Frame({ children }: { children: ReactNode }) {
  return (
    <main className="sign-in" tabIndex={-1}>
      <p className="wordmark">Rollcall</p>
      <section className="card">{children}</section>
    </main>
  );
}
