import { useEffect, useRef, useState } from "react";
import { Button } from "../ui/button.tsx";

export interface ProviderButtonProps {
  /** Host of the provider, shown as its name. */
  host: string;
  /** Problem of an earlier attempt. */
  problem: string | undefined;
  /** Whether the page has to be kept; a sign-in in this tab would lose it. */
  keepsPage: boolean;
}

const BLOCKED =
  "Your browser opened no window. Let this page open one, or go on in this tab, which loses what you have typed.";
const NOT_LOADED = "A part of this page can't be loaded. Load the page again once the server is back.";

/**
 * Button that signs in at the identity provider: in this tab or, if the page has to be kept, in a window of its own.
 */
export function ProviderButton({ host, problem: earlier, keepsPage }: ProviderButtonProps) {
  const [problem, setProblem] = useState(earlier);
  const [isLeaving, setLeaving] = useState(false);
  const [isBlocked, setBlocked] = useState(false);
  const attempt = useRef<AbortController>(undefined);
  const byWindow = keepsPage && !isBlocked;
  useEffect(() => setProblem(earlier), [earlier]);
  useEffect(() => {
    import("./provider/sign-in.ts").then(({ prepareWindow }) => keepsPage && prepareWindow()).catch(() => {});
    return () => attempt.current?.abort();
  }, [keepsPage]);

  const start = async () => {
    attempt.current?.abort();
    const controller = new AbortController();
    attempt.current = controller;
    setProblem(undefined);
    // It can't be noticed that the window was closed, so another one may be opened.
    setLeaving(!byWindow);
    const provider = await import("./provider/sign-in.ts").catch(() => undefined);
    const result = provider
      ? await (byWindow ? provider.signInByWindow(host, controller.signal) : provider.leaveForProvider(host))
      : NOT_LOADED;
    if (controller.signal.aborted || result === undefined) return;
    setLeaving(false);
    setBlocked(result === "blocked");
    setProblem(result === "blocked" ? BLOCKED : result);
  };
  return (
    <div className="provider">
      {problem !== undefined && (
        <p className="field-error" role="alert">
          {problem}
        </p>
      )}
      <Button className="primary" isOff={isLeaving} onClick={() => void start()}>
        {isLeaving ? `Opening ${host}…` : `Sign in with ${host}${isBlocked ? " in this tab" : ""}`}
      </Button>
    </div>
  );
}
