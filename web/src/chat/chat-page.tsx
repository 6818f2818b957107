import "../calls/calls.css";
import "./chat-page.css";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { describeError } from "../api/errors.ts";
import { BASE_URL } from "../base.ts";
import { CallPanel } from "../calls/call-panel.tsx";
import { commandsFor } from "../calls/shell-commands.ts";
import { scopedPage } from "../session/scoped-page.tsx";
import { Button } from "../ui/button.tsx";
import { useConversation } from "./use-conversation.ts";

const { bidirectionalStream } = StreamService.method;

/** Messages of "Send 20", and the pause between two, in milliseconds. */
const BURST = Array.from({ length: 20 }, (_, index) => `message ${index + 1}`);
const BURST_PAUSE_MS = 40;
/** Distance from the last line, in pixels, within which the log scrolls on to the next one. */
const AT_END_PX = 40;

/** Page of bidirectional streaming: both sides send whenever they like. */
export const ChatPage = scopedPage(bidirectionalStream, "Chat", Chat);

function Chat() {
  const { call, lines, spoken, isOpen, isOpening, say, halfClose } = useConversation();
  const [text, setText] = useState("");
  const log = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const lastTop = useRef(0);
  const { snapshot, running } = call;
  /** Whether the last messages are on their way; no new conversation may begin until then. */
  const isEnding = running && !isOpen;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is what it waits for
  useEffect(() => {
    if (isAtEnd.current) log.current?.scrollTo({ top: log.current.scrollHeight });
  }, [lines]);
  const noteScroll = () => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = log.current ?? {};
    // Only a person scrolls up. Events of scrolling down arrive late, when there may already be more lines.
    const isUp = scrollTop < lastTop.current;
    lastTop.current = scrollTop;
    if (scrollHeight - scrollTop - clientHeight < AT_END_PX) isAtEnd.current = true;
    else if (isUp) isAtEnd.current = false;
  };

  const send = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === "" || isEnding) return;
    void say([text]);
    setText("");
  };

  return (
    <div className="with-panel">
      <section>
        <h1>Chat</h1>
        <p className="lead">
          Both directions at once over one WebSocket: each message is sent and answered on its own.
        </p>
        <ul className="lanes" aria-label="Directions">
          <Lane name="You → server" isOpen={isOpen && !isOpening} />
          <Lane name="Server → you" isOpen={running && !isOpening} />
        </ul>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must be able to reach it */}
        <section className="chat-log card" ref={log} aria-label="Conversation" tabIndex={0} onScroll={noteScroll}>
          {lines.length === 0 && <p className="hint">The conversation begins with the first message.</p>}
          <ol>
            {lines.map(({ number, from, text: said, atMs, isUnsent }) => (
              <li key={number} className="line" data-from={from}>
                <span className="visually-hidden">{from === "you" ? "You: " : "Server: "}</span>
                <span className="bubble">{said}</span>
                {isUnsent ? (
                  <span className="unsent">not sent</span>
                ) : (
                  <span className="after">
                    #{number} · {Math.round(atMs)} ms
                  </span>
                )}
              </li>
            ))}
          </ol>
        </section>
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
          <Button isOff={isEnding} onClick={() => void say(BURST, BURST_PAUSE_MS)}>
            Send {BURST.length}
          </Button>
          <Button isOff={!isOpen} onClick={halfClose}>
            End
          </Button>
          <Button isOff={!running} onClick={call.cancel}>
            Cancel
          </Button>
        </form>
        <p className="status" role="status">
          {isOpening && "Opening a WebSocket…"}
          {snapshot?.state === "done" && "The conversation has ended."}
          {snapshot?.error && describeError(snapshot.error)}
        </p>
      </section>
      <CallPanel
        method={bidirectionalStream}
        snapshot={snapshot}
        commands={commandsFor(
          BASE_URL,
          bidirectionalStream,
          (spoken.length > 0 ? spoken : ["hello"]).map((message) => ({ message })),
          "chat",
        )}
      />
    </div>
  );
}

/** Shows one direction of the conversation. */
function Lane({ name, isOpen }: { name: string; isOpen: boolean }) {
  return (
    <li className="lane" data-open={isOpen}>
      {name}: {isOpen ? "open" : "closed"}
    </li>
  );
}
