import { Tabs } from "@base-ui/react/tabs";
import type { DescMethod } from "@bufbuild/protobuf";
import { CopyButton } from "../ui/copy-button.tsx";
import { Fact, Fields, KINDS, stateOf } from "./call-facts.tsx";
import type { CallSnapshot } from "./call-record.ts";
import type { Commands } from "./shell-commands.ts";

export interface CallPanelProps {
  method: DescMethod;
  /** State of the latest call; undefined before the first one. */
  snapshot: CallSnapshot | undefined;
  commands: Commands;
}

/** Shows what goes over the wire, and how to make the same call from a terminal. */
export function CallPanel({ method, snapshot, commands }: CallPanelProps) {
  const overFetch = method.methodKind === "server_streaming" || method.methodKind === "unary";
  return (
    <aside className="card call-panel" aria-label="The call">
      <h2>The call</h2>
      <dl className="facts">
        <Fact name="Method">
          <code>
            {method.parent.typeName}/<wbr />
            {method.name}
          </code>
        </Fact>
        <Fact name="Kind">{KINDS[method.methodKind]}</Fact>
        <Fact name="Protocol">{overFetch ? "Connect" : "gRPC-Web"}, binary</Fact>
        <Fact name="Transport">{overFetch ? "fetch" : "WebSocket, grpc-websockets"}</Fact>
        <Fact name="State">
          <span className="state" data-state={snapshot?.state}>
            {stateOf(snapshot)}
          </span>
        </Fact>
        <Fact name="Messages">
          {snapshot?.sent ?? 0} sent, {snapshot?.received ?? 0} received
        </Fact>
        <Fact name="Duration">{snapshot ? `${(snapshot.durationMs / 1_000).toFixed(2)} s` : "–"}</Fact>
      </dl>
      <Fields title="Request headers" fields={snapshot?.requestHeaders} />
      <Fields title="Response headers" fields={snapshot?.responseHeaders} />
      <Fields title="Trailers" fields={snapshot?.trailers} />
      <h3>From a terminal</h3>
      <Tabs.Root defaultValue="curl">
        <Tabs.List className="tabs" aria-label="Tool">
          {Object.keys(commands).map((tool) => (
            <Tabs.Tab key={tool} value={tool}>
              {tool}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {Object.entries(commands).map(([tool, command]) => (
          <Tabs.Panel key={tool} value={tool} className="command" tabIndex={-1}>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must be able to reach it */}
            <section aria-label={`${tool} command`} tabIndex={0}>
              <pre>
                <code>{command}</code>
              </pre>
            </section>
            <CopyButton text={command} label={`Copy the ${tool} command`} />
          </Tabs.Panel>
        ))}
      </Tabs.Root>
      <p className="hint">
        In the repository's root, with your token in <code>ROLLCALL_TOKEN</code>
        {location.protocol === "https:" && (
          <>
            {" "}
            and, where your machine does not know the server's certificate authority, its file in{" "}
            <code>ROLLCALL_CA</code>
          </>
        )}
        .
      </p>
    </aside>
  );
}
