import "./sign-in-page.css";
import { type FormEvent, useEffect, useState } from "react";
import { Button } from "../ui/button.tsx";
import { type SessionState, signIn } from "./session.ts";
import { storesTokens } from "./token-store.ts";

const HEADINGS: Record<Exclude<SessionState["status"], "in">, string> = {
  out: "Sign in",
  expired: "Your session has expired",
  refused: "The server does not accept your token",
};

/** Asks for a token; after a session has ended, it says why. */
export function SignInPage({ state }: { state: Exclude<SessionState, { status: "in" }> }) {
  /** Problem with what was typed here; before that, the link's problem is shown. */
  const [ownProblem, setProblem] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const problem = ownProblem ?? state.problem;
  const heading = HEADINGS[state.status];
  useEffect(() => {
    document.title = `${heading} · Rollcall`;
  }, [heading]);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("token"));
    setAsking(true);
    setProblem(await signIn(text));
    setAsking(false);
  };
  return (
    <main className="sign-in" tabIndex={-1}>
      <p className="wordmark">Rollcall</p>
      <section className="card">
        <h1>{heading}</h1>
        {state.status === "out" ? (
          <p>Open the link that the server printed when it started, or paste it, or a token, here.</p>
        ) : (
          <p role="alert">
            You were signed in as <strong>{state.subject}</strong>. Sign in with a new token to go on.
          </p>
        )}
        <form onSubmit={submit} noValidate>
          <label htmlFor="token">Token</label>
          <input
            id="token"
            name="token"
            autoComplete="off"
            spellCheck={false}
            aria-invalid={problem !== undefined}
            aria-describedby="token-problem"
          />
          <p id="token-problem" className="field-error" role="alert">
            {problem}
          </p>
          <Button type="submit" className="primary" isOff={isAsking}>
            {isAsking ? "Asking the server…" : "Sign in"}
          </Button>
        </form>
        <p className="hint">
          {storesTokens()
            ? "It stays in this tab, and is gone when you close it."
            : "Your browser stores nothing for this page: the token is gone when you close or reload it."}
        </p>
      </section>
    </main>
  );
}
