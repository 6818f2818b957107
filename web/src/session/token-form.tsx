import { type FormEvent, useState } from "react";
import { Button } from "../ui/button.tsx";
import { findToken } from "./read-token.ts";
import { signIn } from "./session.ts";
import { storesTokens } from "./token-store.ts";

export interface TokenFormProps {
  /** Problem of an earlier attempt, such as a link. */
  problem?: string | undefined;
  /** Whether there is another, more usual way to sign in. Default false. */
  isSecond?: boolean;
}

/** Form for a token, or for a link with one. */
export function TokenForm({ problem: earlier, isSecond = false }: TokenFormProps) {
  /** Problem with what was typed here; before that, the earlier one is shown. */
  const [ownProblem, setProblem] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const problem = ownProblem ?? earlier;
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("token"));
    setAsking(true);
    setProblem(await signInByText(text));
    setAsking(false);
  };
  return (
    <>
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
        <Button type="submit" className={isSecond ? "" : "primary"} isOff={isAsking}>
          {isAsking ? "Asking the server…" : isSecond ? "Sign in with this token" : "Sign in"}
        </Button>
      </form>
      <p className="hint">
        {storesTokens()
          ? "The token stays in this tab until you close it."
          : "Your browser stores nothing for this page: the token is gone when you close or reload it."}
      </p>
    </>
  );
}

/** Signs in with a token that is anywhere in the text. Returns a sentence about what is wrong, or undefined. */
async function signInByText(text: string): Promise<string | undefined> {
  if (text.trim() === "") return "Paste a token, or the link that the server printed.";
  const session = findToken(text);
  return session ? signIn(session) : "This is not a token (a JWT that says whose it is and when it expires).";
}
