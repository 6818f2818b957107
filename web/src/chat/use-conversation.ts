import { type Chat, openChat } from "@rollcall/client";
import { useEffect, useRef, useState } from "react";
import { MAX_PRINTED_MESSAGES } from "../calls/shell-commands.ts";
import { streams } from "../calls/streams-client.ts";
import { type RecordedCall, useCall } from "../calls/use-call.ts";
import { announce } from "../ui/announcer.tsx";

/** Lines that are kept of a conversation. */
const MAX_LINES = 1_000;
/** Replies are read out at most this often, in milliseconds. */
const ANNOUNCE_MS = 1_000;

export interface Line {
  /** Counts from 1, both sides' lines. */
  readonly number: number;
  readonly from: "you" | "server";
  readonly text: string;
  /** Since the conversation began, in milliseconds. */
  readonly atMs: number;
  /** The call ended before the message left. */
  readonly isUnsent: boolean;
}

export interface Conversation {
  readonly call: RecordedCall;
  readonly lines: readonly Line[];
  /** The first of what was said, for the commands that say it again. */
  readonly spoken: readonly string[];
  /** Whether messages can be sent in the call under way, or will be when its WebSocket is open. */
  readonly isOpen: boolean;
  /** Whether the call's WebSocket is not open yet. */
  readonly isOpening: boolean;
  /** Says one after the other, with a pause between two. Begins a call where none is under way, and ends with it. */
  say(messages: readonly string[], pauseMs?: number): Promise<void>;
  /** Nothing more will be sent; the replies go on to their end. */
  halfClose(): void;
}

interface Said extends Omit<Line, "isUnsent"> {
  /** Which of this side's messages it is, from 1. */
  readonly ordinal: number;
}

interface Current {
  readonly chat: Chat;
  readonly begunMs: number;
  isHalfClosed: boolean;
}

/** A page's conversation: one call at a time, and the lines of the last one. */
export function useConversation(): Conversation {
  const call = useCall();
  const current = useRef<Current>(undefined);
  const [lines, setLines] = useState<readonly Said[]>([]);
  const [spoken, setSpoken] = useState<readonly string[]>([]);
  const [isHalfClosed, setHalfClosed] = useState(false);
  const { snapshot, running } = call;
  useAnnouncedReplies(lines);

  const note = ({ begunMs }: Current, from: Line["from"], text: string) => {
    const atMs = performance.now() - begunMs;
    setLines((before) => {
      const number = (before.at(-1)?.number ?? 0) + 1;
      const ordinal = (before.findLast((line) => line.from === from)?.ordinal ?? 0) + 1;
      return [...before.slice(1 - MAX_LINES), { number, from, text, atMs, ordinal }];
    });
  };
  const listen = async (conversation: Current) => {
    try {
      for await (const reply of conversation.chat) note(conversation, "server", reply);
    } catch {
      // The call's record has the error, and the page shows it from there.
    } finally {
      if (current.current === conversation) current.current = undefined;
    }
  };
  const begin = (): Current => {
    const conversation = { chat: openChat(streams, call.begin(true)), begunMs: performance.now(), isHalfClosed: false };
    current.current = conversation;
    setLines([]);
    setSpoken([]);
    setHalfClosed(false);
    void listen(conversation);
    return conversation;
  };
  return {
    call,
    lines: lines.map((line) => ({
      ...line,
      isUnsent: line.from === "you" && !running && line.ordinal > (snapshot?.sent ?? 0),
    })),
    spoken,
    isOpen: running && !isHalfClosed,
    // A request's messages are taken when they can leave; every conversation begins with one.
    isOpening: running && snapshot?.sent === 0,
    async say(messages, pauseMs = 0) {
      const conversation = current.current ?? begin();
      try {
        for (const message of messages) {
          // Before it is sent, or its reply could be there first.
          note(conversation, "you", message);
          setSpoken((before) => [...before, message].slice(0, MAX_PRINTED_MESSAGES + 1));
          await conversation.chat.send(message);
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
          if (current.current !== conversation || conversation.isHalfClosed) return;
        }
      } catch {
        // The call has ended: its line says that this one was not sent.
      }
    },
    halfClose() {
      if (!current.current) return;
      current.current.isHalfClosed = true;
      current.current.chat.end();
      setHalfClosed(true);
    },
  };
}

/** Reads out the latest reply, but no faster than anybody could listen. */
function useAnnouncedReplies(lines: readonly Said[]): void {
  const reply = lines.findLast(({ from }) => from === "server");
  const lastMs = useRef(0);
  useEffect(() => {
    if (!reply) return;
    const waitMs = Math.max(0, lastMs.current + ANNOUNCE_MS - performance.now());
    const timer = setTimeout(() => {
      lastMs.current = performance.now();
      announce(`Server: ${reply.text}`);
    }, waitMs);
    return () => clearTimeout(timer);
  }, [reply]);
}
