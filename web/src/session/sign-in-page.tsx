import type { SignInOptions } from "@rollcall/shared/sign-in-options";
import { type ReactNode, useEffect, useState } from "react";
import { DocsLink } from "../ui/docs-link.tsx";
import { usePath } from "../ui/location.tsx";
import { loadAppConfig } from "./app-config.ts";
import { ProviderButton } from "./provider-button.tsx";
import type { OutState } from "./session.ts";
import { TokenForm } from "./token-form.tsx";

/** Asks people to sign in, in the way that fits the server; after a session has ended, it says why. */
export function SignInPage({ state }: { state: OutState }) {
  const options = useSignInOptions();
  const path = usePath();
  const heading = headingOf(state, path);
  useEffect(() => {
    document.title = `${heading} · Rollcall`;
  }, [heading]);
  return (
    <>
      <h1>{heading}</h1>
      {state.status !== "out" && <p role="alert">{fateOf(state)}</p>}
      {options === undefined ? (
        <p className="hint">Asking the server how to sign in…</p>
      ) : options.kind === "provider" ? (
        <>
          <ProviderButton
            host={hostOf(options.issuer)}
            problem={state.problem}
            keepsPage={state.status !== "out" && state.wasTaken}
          />
          <details>
            <summary>Use a token instead</summary>
            <TokenForm isSecond />
          </details>
        </>
      ) : (
        <>
          {state.status === "out" && <p>{adviceFor(options)}</p>}
          <TokenForm problem={state.problem} />
        </>
      )}
      <DocsLink>How programs call this server</DocsLink>
    </>
  );
}

function headingOf(state: OutState, path: string): string {
  if (state.status === "out") return path === "/signed-out" ? "You are signed out" : "Sign in";
  if (state.status === "refused") return "The server does not accept your token";
  return state.wasTaken ? "Your session has expired" : "This token has expired";
}

/** Says whose session has ended or, for a token that was never accepted, what was wrong with it. */
function fateOf({ status, wasTaken, session }: Exclude<OutState, { status: "out" }>): ReactNode {
  const name = <strong>{session.subject}</strong>;
  if (wasTaken) return <>You were signed in as {name}. Sign in again to go on where you were.</>;
  if (status === "expired") return <>It was for {name}. Use a newer link or token.</>;
  return <>It names {name}, but was not made for this server, or its key has been changed since.</>;
}

/** Says how to get a token. */
function adviceFor(options: SignInOptions): string {
  if (options.kind === "link") {
    return "Open the link that the server printed in its terminal when it started, or paste it here. The token is the part behind #token=.";
  }
  if (options.kind === "token" && options.issuer !== undefined) {
    return `Paste a token from ${hostOf(options.issuer)}, or a link with one.`;
  }
  return "Paste a token, or a link with one. Whoever runs this server can make you a token.";
}

function hostOf(issuer: string): string {
  return URL.parse(issuer)?.host || issuer;
}

/** Returns how people sign in to the server; undefined until the server has answered. */
function useSignInOptions(): SignInOptions | undefined {
  const [options, setOptions] = useState<SignInOptions>();
  useEffect(() => {
    loadAppConfig().then(
      ({ signIn }) => setOptions(signIn),
      // A person can still sign in with a token, once the server is back.
      () => setOptions({ kind: "token" }),
    );
  }, []);
  return options;
}
