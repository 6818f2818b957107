import type { Registry } from "@bufbuild/protobuf";
import { type ComponentType, lazy, Suspense } from "react";
import { describeError } from "../../api/errors.ts";
import { Fact, Fields, stateOf } from "../../calls/call-facts.tsx";
import type { CallSnapshot } from "../../calls/call-record.ts";
import type { SampledCall } from "../samples/sampled-call.ts";
import { SamplesView } from "../samples/samples-view.tsx";
import type { ErrorViewProps } from "./error-view.tsx";
import { Messages } from "./messages.tsx";
import type { Exchange } from "./use-exchange.ts";

/** Loaded with the first error. The status already has its text. */
const ErrorView = lazy<ComponentType<ErrorViewProps>>(() =>
  import("./error-view.tsx").then(
    (module) => ({ default: module.ErrorView }),
    () => ({ default: () => null }),
  ),
);

export interface ExchangeViewProps {
  exchange: Exchange;
  registry: Registry;
  /** The call to show as samples. */
  sampled: SampledCall;
}

/** The latest call as it happened, and the same call as a command or program. */
export function ExchangeView({ exchange: { snapshot, running, log }, registry, sampled }: ExchangeViewProps) {
  return (
    <aside className="card exchange" aria-labelledby="exchange-title">
      <h2 id="exchange-title">The exchange</h2>
      <p className="status" role="status">
        {running ? "Running…" : snapshot ? outcomeOf(snapshot) : "Nothing has been sent yet."}
      </p>
      <dl className="facts">
        <Fact name="State">
          <span className="state" data-state={snapshot?.state}>
            {stateOf(snapshot)}
          </span>
        </Fact>
        <Fact name="Messages">
          {snapshot?.sent ?? 0} sent, {snapshot?.received ?? 0} received
        </Fact>
        <Fact name="Answered">{snapshot?.answeredMs === undefined ? "–" : `after ${inMs(snapshot.answeredMs)}`}</Fact>
        <Fact name="Duration">{snapshot ? inMs(snapshot.durationMs) : "–"}</Fact>
      </dl>
      <Fields title="Request headers" fields={snapshot?.requestHeaders} />
      <Fields title="Response headers" fields={snapshot?.responseHeaders} />
      <Messages messages={log.messages} dropped={log.dropped} />
      {snapshot?.error && (
        <Suspense>
          <ErrorView error={snapshot.error} registry={registry} />
        </Suspense>
      )}
      <Fields
        title={snapshot?.error && snapshot.answeredMs === undefined ? "Headers of the error" : "Trailers"}
        fields={snapshot?.trailers}
      />
      <h3>The same call</h3>
      <SamplesView call={sampled} />
      <p className="hint">
        With your token in <code>ROLLCALL_TOKEN</code>
        {location.protocol === "https:" && (
          <>
            {" "}
            and, for a certificate authority that your machine does not know, its file in <code>ROLLCALL_CA</code>
          </>
        )}
        . TypeScript, Go and Python need code that is generated from the contract.
      </p>
    </aside>
  );
}

function outcomeOf({ state, error, received }: CallSnapshot): string {
  if (state === "done") return `Complete: ${received === 1 ? "1 message" : `${received} messages`} received.`;
  return error ? describeError(error) : "Canceled.";
}

function inMs(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
