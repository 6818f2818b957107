import { useLayoutEffect, useRef } from "react";
import type { LoggedMessage } from "./message-log.ts";

export interface MessagesProps {
  messages: readonly LoggedMessage[];
  /** Number of earlier messages that are no longer kept. */
  dropped: number;
}

/** Distance from the end, in pixels, within which the list follows new messages. */
const NEAR_END = 40;

/** Messages of a call in both directions. It follows the latest one unless somebody has scrolled up. */
export function Messages({ messages, dropped }: MessagesProps) {
  const list = useRef<HTMLOListElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    // A single request and its answer are read from the top.
    if (messages.length <= 2) isAtEnd.current = true;
    else if (isAtEnd.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [messages]);
  return (
    <>
      {dropped > 0 && <p className="hint">{dropped} earlier messages are no longer kept.</p>}
      <ol
        ref={list}
        className="messages"
        aria-label="Messages"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must be able to reach it
        tabIndex={0}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
        }}
      >
        {messages.map(({ number, direction, atMs, text }) => (
          <li key={number} className="message" data-direction={direction}>
            <p>
              <span>{direction === "sent" ? "→ Sent" : "← Received"}</span>{" "}
              <span className="after">+{Math.round(atMs)} ms</span>
            </p>
            <pre>
              <code>{text}</code>
            </pre>
          </li>
        ))}
      </ol>
    </>
  );
}
