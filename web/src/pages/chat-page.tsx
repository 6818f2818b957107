import "./streams.css";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { BoundedQueue } from "@rollcall/client";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { commandsFor, MAX_PRINTED_MESSAGES } from "../commands.ts";
import { Button } from "../components/button.tsx";
import { CallPanel } from "../components/call-panel.tsx";
import { describeError } from "../errors.ts";
import { streams } from "../streams-api.ts";
import { useCall } from "../use-call.ts";

const { bidirectionalStream } = StreamService.method;
type Request = MessageInitShape<typeof bidirectionalStream.input>;

/** Messages that "Send 20" sends without waiting for a reply, and the time between two. */
const BURST = 20;
const BURST_INTERVAL_MS = 40;

/** Messages that wait for a server that is slow; then the next one waits to be sent. */
const QUEUE_CAPACITY = 64;
/** Lines that are kept of a conversation. */
const MAX_LINES = 1_000;

interface Line {
  readonly number: number;
  readonly from: "you" | "server";
  readonly text: string;
  /** Since the conversation began. */
  readonly atMs: number;
}

/** One call: its messages, and what is yet to be sent of them. */
interface Conversation {
  readonly requests: BoundedQueue<Request>;
  readonly begunMs: number;
  /** Nothing more will be sent. */
  isHalfClosed: boolean;
}

/** Bidirectional streaming: both sides speak whenever they like. */
export function ChatPage() {
  const call = useCall();
  const current = useRef<Conversation>(undefined);
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [spoken, setSpoken] = useState<readonly string[]>([]);
  const [text, setText] = useState("");
  const [isHalfClosed, setHalfClosed] = useState(false);
  const log = useRef<HTMLOListElement>(null);
  const { snapshot, running } = call;
  const isOpen = running && !isHalfClosed;
  /** The last messages are on their way, and no new conversation may begin. */
  const isEnding = running && isHalfClosed;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is what it waits for
  useEffect(() => {
    log.current?.scrollTo({ top: log.current.scrollHeight });
  }, [lines]);

  const note = ({ begunMs }: Conversation, from: Line["from"], said: string) => {
    const atMs = performance.now() - begunMs;
    setLines((before) => [
      ...before.slice(1 - MAX_LINES),
      { number: (before.at(-1)?.number ?? 0) + 1, from, text: said, atMs },
    ]);
  };
  const listen = async (conversation: Conversation) => {
    const { requests } = conversation;
    try {
      for await (const { reply } of streams.bidirectionalStream(requests, call.begin())) {
        note(conversation, "server", reply);
      }
    } catch {
      // The call's record has the error, and the page shows it from there.
    } finally {
      conversation.isHalfClosed = true;
      requests.end();
      if (current.current === conversation) current.current = undefined;
    }
  };
  const begin = (): Conversation => {
    const conversation = {
      requests: new BoundedQueue<Request>(QUEUE_CAPACITY),
      begunMs: performance.now(),
      isHalfClosed: false,
    };
    current.current = conversation;
    setLines([]);
    setSpoken([]);
    setHalfClosed(false);
    void listen(conversation);
    return conversation;
  };
  /** Resolves when the message is on its way; false when the conversation ended before. */
  const say = async (conversation: Conversation, message: string): Promise<boolean> => {
    if (conversation.isHalfClosed) return false;
    try {
      await conversation.requests.push({ message });
    } catch {
      return false;
    }
    note(conversation, "you", message);
    setSpoken((before) => [...before, message].slice(0, MAX_PRINTED_MESSAGES + 1));
    return true;
  };
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === "" || isEnding) return;
    setText("");
    const isSent = await say(current.current ?? begin(), text);
    if (!isSent) setText((next) => next || text);
  };
  const sayMany = async () => {
    const conversation = current.current ?? begin();
    for (let number = 1; number <= BURST; number++) {
      if (!(await say(conversation, `message ${number}`))) return;
      await new Promise((resolve) => setTimeout(resolve, BURST_INTERVAL_MS));
    }
  };
  const halfClose = () => {
    if (!current.current) return;
    current.current.isHalfClosed = true;
    current.current.requests.end();
    setHalfClosed(true);
  };

  return (
    <div className="with-panel">
      <section>
        <h1>Chat</h1>
        <p className="lead">
          Both directions at once, over one WebSocket: each line is sent, and answered, on its own.
        </p>
        <ul className="lanes" aria-label="Directions">
          <li className="lane" data-open={isOpen}>
            You → server: {isOpen ? "open" : "closed"}
          </li>
          <li className="lane" data-open={running}>
            Server → you: {running ? "open" : "closed"}
          </li>
        </ul>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must be able to reach it */}
        <ol className="chat-log card" ref={log} aria-label="Conversation" aria-live="polite" tabIndex={0}>
          {lines.length === 0 && <li className="hint">The conversation begins with the first message.</li>}
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
              readOnly={isEnding}
              onChange={(event) => setText(event.target.value)}
            />
          </div>
          <Button type="submit" className="primary" isOff={isEnding}>
            Send
          </Button>
          <Button isOff={isEnding} onClick={() => void sayMany()}>
            Send {BURST}
          </Button>
          <Button isOff={!isOpen} onClick={halfClose}>
            End
          </Button>
          <Button isOff={!running} onClick={call.cancel}>
            Cancel
          </Button>
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
          (spoken.length > 0 ? spoken : ["hello"]).map((message) => ({ message })),
          "chat",
        )}
      />
    </div>
  );
}
