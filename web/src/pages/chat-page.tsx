import type { MessageInitShape } from "@bufbuild/protobuf";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { streams } from "../api.ts";
import { commandsFor } from "../commands.ts";
import { CallPanel } from "../components/call-panel.tsx";
import { describeError } from "../errors.ts";
import { createOutbox, type Outbox } from "../outbox.ts";
import { useCall } from "../use-call.ts";

const { bidirectionalStream } = StreamService.method;
type Request = MessageInitShape<typeof bidirectionalStream.input>;

/** Messages that "Send 20" sends without waiting for a reply. */
const BURST = 20;

interface Line {
  readonly number: number;
  readonly from: "you" | "server";
  readonly text: string;
  /** Since the conversation began. */
  readonly atMs: number;
}

/** Bidirectional streaming: both sides speak whenever they like. */
export function ChatPage() {
  const call = useCall();
  const outbox = useRef<Outbox<Request>>(undefined);
  const begunMs = useRef(0);
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [text, setText] = useState("");
  const [isHalfClosed, setHalfClosed] = useState(false);
  const log = useRef<HTMLOListElement>(null);
  const { snapshot, running } = call;

  const note = (from: Line["from"], said: string) => {
    const atMs = performance.now() - begunMs.current;
    setLines((before) => [...before, { number: before.length + 1, from, text: said, atMs }]);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is what it waits for
  useEffect(() => {
    log.current?.scrollTo({ top: log.current.scrollHeight });
  }, [lines]);

  const listen = async (requests: Outbox<Request>) => {
    try {
      for await (const { reply } of streams.bidirectionalStream(requests, call.begin())) note("server", reply);
    } catch {
      // The call's record has the error, and the page shows it from there.
    } finally {
      if (outbox.current === requests) outbox.current = undefined;
    }
  };
  const say = (...messages: string[]) => {
    let requests = outbox.current;
    if (!requests) {
      requests = createOutbox<Request>();
      outbox.current = requests;
      begunMs.current = performance.now();
      setLines([]);
      setHalfClosed(false);
      void listen(requests);
    }
    for (const message of messages) {
      note("you", message);
      requests.push({ message });
    }
  };
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === "") return;
    say(text);
    setText("");
  };
  const halfClose = () => {
    outbox.current?.close();
    setHalfClosed(true);
  };

  const spoken = lines.filter(({ from }) => from === "you").map(({ text: message }) => ({ message }));
  return (
    <div className="with-panel">
      <section>
        <h1>Chat</h1>
        <p className="lead">
          Both directions at once, over one WebSocket: each line is sent, and answered, on its own.
        </p>
        <ul className="lanes" aria-label="Directions">
          <li data-open={running && !isHalfClosed}>You → server: {running && !isHalfClosed ? "open" : "closed"}</li>
          <li data-open={running}>Server → you: {running ? "open" : "closed"}</li>
        </ul>
        <ol className="chat-log card" ref={log} aria-label="Conversation" aria-live="polite" tabIndex={-1}>
          {lines.map(({ number, from, text: said, atMs }) => (
            <li key={number} data-from={from}>
              <span className="visually-hidden">{from === "you" ? "You: " : "Server: "}</span>
              <span className="bubble">{said}</span>
              <span className="after">
                #{number} · {Math.round(atMs)} ms
              </span>
            </li>
          ))}
        </ol>
        <form className="inline-form" onSubmit={send}>
          <div className="field">
            <label htmlFor="message">Message</label>
            <input
              id="message"
              value={text}
              autoComplete="off"
              disabled={running && isHalfClosed}
              onChange={(event) => setText(event.target.value)}
            />
          </div>
          <button type="submit" className="primary" disabled={running && isHalfClosed}>
            Send
          </button>
          <button
            type="button"
            disabled={running && isHalfClosed}
            onClick={() => say(...Array.from({ length: BURST }, (_, index) => `message ${index + 1}`))}
          >
            Send {BURST}
          </button>
          <button type="button" onClick={halfClose} disabled={!running || isHalfClosed}>
            End
          </button>
          <button type="button" onClick={call.cancel} disabled={!running}>
            Cancel
          </button>
        </form>
        <p className="status" role="status">
          {snapshot?.state === "done" && "The conversation has ended."}
          {snapshot?.error && describeError(snapshot.error)}
        </p>
      </section>
      <CallPanel
        method={bidirectionalStream}
        snapshot={snapshot}
        commands={commandsFor(
          location.origin,
          bidirectionalStream,
          spoken.length > 0 ? spoken : [{ message: "hello" }],
          "chat",
        )}
      />
    </div>
  );
}
