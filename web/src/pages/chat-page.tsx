import "./streams.css";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { commandsFor } from "../commands.ts";
import { CallPanel } from "../components/call-panel.tsx";
import { describeError } from "../errors.ts";
import { createOutbox, type Outbox } from "../outbox.ts";
import { streams } from "../streams-api.ts";
import { useCall } from "../use-call.ts";

const { bidirectionalStream } = StreamService.method;
type Request = MessageInitShape<typeof bidirectionalStream.input>;

/** Messages that "Send 20" sends without waiting for a reply, and the time between two. */
const BURST = 20;
const BURST_INTERVAL_MS = 40;

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
  const say = (message: string): Outbox<Request> => {
    let requests = outbox.current;
    if (!requests) {
      requests = createOutbox<Request>();
      outbox.current = requests;
      begunMs.current = performance.now();
      setLines([]);
      setHalfClosed(false);
      void listen(requests);
    }
    note("you", message);
    requests.push({ message });
    return requests;
  };
  const sayMany = async () => {
    const conversation = say("message 1");
    for (let number = 2; number <= BURST; number++) {
      await new Promise((resolve) => setTimeout(resolve, BURST_INTERVAL_MS));
      if (outbox.current !== conversation || conversation.closed) return;
      say(`message ${number}`);
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
          <li className="lane" data-open={running && !isHalfClosed}>
            You → server: {running && !isHalfClosed ? "open" : "closed"}
          </li>
          <li className="lane" data-open={running}>
            Server → you: {running ? "open" : "closed"}
          </li>
        </ul>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must be able to reach it */}
        <ol className="chat-log card" ref={log} aria-label="Conversation" aria-live="polite" tabIndex={0}>
          {lines.map(({ number, from, text: said, atMs }) => (
            <li key={number} className="line" data-from={from}>
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
          <button type="button" disabled={running && isHalfClosed} onClick={() => void sayMany()}>
            Send {BURST}
          </button>
          <button
            type="button"
            onClick={() => running && !isHalfClosed && halfClose()}
            aria-disabled={!running || isHalfClosed}
          >
            End
          </button>
          <button type="button" onClick={() => running && call.cancel()} aria-disabled={!running}>
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
