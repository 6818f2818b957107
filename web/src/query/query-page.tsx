import "../calls/calls.css";
import "./query-page.css";
import { ServerStreamRequestSchema, StreamService } from "@rollcall/gen/stream/v1/stream";
import { type FormEvent, useRef, useState } from "react";
import { client } from "../api/client.ts";
import { describeError, fieldErrors } from "../api/errors.ts";
import { checkRules } from "../api/rules/index.ts";
import { BASE_URL } from "../base.ts";
import { CallPanel } from "../calls/call-panel.tsx";
import { commandsFor, quote } from "../calls/shell-commands.ts";
import { useCall } from "../calls/use-call.ts";
import { scopedPage } from "../session/scoped-page.tsx";
import { Button } from "../ui/button.tsx";

const { serverStream } = StreamService.method;

/** Number of results of a query, by the contract. */
const EXPECTED_RESULTS = 10;

interface Result {
  readonly sequence: number;
  readonly data: string;
  readonly afterMs: number;
}

/** Page of server streaming: it shows results as they arrive. */
export const QueryPage = scopedPage(serverStream, "Query", Query);

function Query() {
  const call = useCall();
  const [query, setQuery] = useState("typescript");
  /** Query whose results are shown. */
  const [asked, setAsked] = useState<string>();
  const isStarting = useRef(false);
  const [problem, setProblem] = useState<string>();
  const [results, setResults] = useState<readonly Result[]>([]);
  const { snapshot, running } = call;

  const run = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (running || isStarting.current) return;
    isStarting.current = true;
    setProblem(undefined);
    const [invalid] = Object.values(await checkRules(ServerStreamRequestSchema, { query })).flat();
    isStarting.current = false;
    if (invalid) return setProblem(invalid);
    setAsked(query);
    setResults([]);
    const begunMs = performance.now();
    try {
      for await (const { sequence, data } of client.streams.query(query, call.begin(true).options)) {
        const result = { sequence, data, afterMs: performance.now() - begunMs };
        setResults((before) => [...before, result]);
      }
    } catch (error) {
      // Any other error is in the call's record, and is shown from there.
      setProblem(fieldErrors(error).query?.[0]);
    }
  };
  const shown = asked ?? query;

  return (
    <div className="with-panel">
      <section>
        <h1>Query</h1>
        <p className="lead">One request. Results appear as the server finds them.</p>
        <form className="inline-form" onSubmit={run} noValidate>
          <div className="field">
            <label htmlFor="query">Query</label>
            <input
              id="query"
              value={query}
              autoComplete="off"
              aria-invalid={problem !== undefined}
              aria-describedby="query-problem"
              onChange={(event) => setQuery(event.target.value)}
            />
            <p id="query-problem" className="field-error" role="alert">
              {problem}
            </p>
          </div>
          <Button type="submit" className="primary" isOff={running}>
            Run
          </Button>
          <Button isOff={!running} onClick={call.cancel}>
            Cancel
          </Button>
        </form>
        <progress aria-label="Progress" value={results.length} max={EXPECTED_RESULTS} />
        <p className="status" role="status">
          {/* Screen readers announce the beginning and the end; the progress bar shows the rest. */}
          {running && (
            <>
              {snapshot?.responseHeaders.length ? "Running…" : "Waiting…"}{" "}
              <span aria-hidden="true">{`${results.length} of ${EXPECTED_RESULTS} results`}</span>
            </>
          )}
          {snapshot?.state === "done" && `${countResults(results.length)}, complete.`}
          {snapshot?.error && `${describeError(snapshot.error)} ${countResults(results.length)} until then.`}
        </p>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must be able to reach it */}
        <ol className="results card" aria-label="Results" tabIndex={0}>
          {results.map(({ sequence, data, afterMs }) => (
            <li key={sequence} className="result">
              <span className="sequence">{sequence}</span> {data}{" "}
              <span className="after">+{Math.round(afterMs)} ms</span>
            </li>
          ))}
        </ol>
      </section>
      <CallPanel
        method={serverStream}
        snapshot={snapshot}
        commands={commandsFor(BASE_URL, serverStream, [{ query: shown }], `query -- ${quote(shown)}`)}
      />
    </div>
  );
}

function countResults(count: number): string {
  return count === 1 ? "1 result" : `${count} results`;
}
