import { type Chat, preloadStreams } from "@rollcall/client";
import { useEffect, useRef, useState } from "react";
import { client } from "../api/client.ts";
import { MAX_PRINTED_MESSAGES } from "../calls/shell-commands.ts";
import { type BegunCall, type RecordedCall, useCall } from "../calls/use-call.ts";
import { announce } from "../ui/announcer.tsx";
import { useFirstSign } from "../ui/use-first-sign.ts";

/** Most lines that are kept of a conversation. */
const MAX_LINES = 1_000;
/** Shortest time between two replies that are announced, in milliseconds. */
const ANNOUNCE_MS = 1_000;

export interface Line {
  /** Number of the line, from 1, across both sides. */
  readonly number: number;
  readonly from: "you" | "server";
  readonly text: string;
  /** Time since the conversation began, in milliseconds. */
  readonly atMs: number;
  /** Whether the call ended before the message was sent. */
  readonly isUnsent: boolean;
}

export interface Conversation {
  readonly call: RecordedCall;
  readonly lines: readonly Line[];
  /** First messages of this side, for the commands that repeat them. */
  readonly spoken: readonly string[];
  /** Whether messages can be sent in the present call, or will be when its WebSocket is open. */
  readonly isOpen: boolean;
  /** Whether the call's WebSocket is not open yet. */
  readonly isOpening: boolean;
  /** Sends messages one by one, with a pause in between. Begins a call if none is running; stops when it ends. */
  say(messages: readonly string[], pauseMs?: number): Promise<void>;
  /** Ends this side of the conversation. The replies continue to their end. */
  halfClose(): void;
}

interface Said extends Omit<Line, "isUnsent"> {
  /** Number of the line among those of its side, from 1. */
  readonly ordinal: number;
}

interface Current {
  readonly chat: Chat;
  readonly begunMs: number;
  isHalfClosed: boolean;
}

/** Holds a page's conversation: one call at a time, and the lines of the latest one. */
export function useConversation(): Conversation {
  const call = useCall();
  const current = useRef<Current>(undefined);
  const [lines, setLines] = useState<readonly Said[]>([]);
  const [spoken, setSpoken] = useState<readonly string[]>([]);
  const [isHalfClosed, setHalfClosed] = useState(false);
  const { snapshot, running } = call;
  useAnnouncedReplies(lines);
  useFirstSign(preloadStreams);

  const note = ({ begunMs }: Current, from: Line["from"], text: string) => {
    const atMs = performance.now() - begunMs;
    setLines((before) => {
      const number = (before.at(-1)?.number ?? 0) + 1;
      const ordinal = (before.findLast((line) => line.from === from)?.ordinal ?? 0) + 1;
      return [...before.slice(1 - MAX_LINES), { number, from, text, atMs, ordinal }];
    });
  };
  const listen = async (conversation: Current, fail: BegunCall["fail"]) => {
    try {
      for await (const reply of conversation.chat) note(conversation, "server", reply);
    } catch (error) {
      // The page shows it from the call's record.
      fail(error);
    } finally {
      if (current.current === conversation) current.current = undefined;
    }
  };
  const begin = (): Current => {
    const { options, fail } = call.begin(true);
    const conversation = { chat: client.streams.chat(options), begunMs: performance.now(), isHalfClosed: false };
    current.current = conversation;
    setLines([]);
    setSpoken([]);
    setHalfClosed(false);
    void listen(conversation, fail);
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
    // A message counts as sent once it can leave, and every conversation begins with one.
    isOpening: running && snapshot?.sent === 0,
    async say(messages, pauseMs = 0) {
      const conversation = current.current ?? begin();
      try {
        for (const message of messages) {
          // Note the message before it is sent; otherwise its reply could come first.
          note(conversation, "you", message);
          setSpoken((before) => [...before, message].slice(0, MAX_PRINTED_MESSAGES + 1));
          await conversation.chat.send(message);
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
          if (current.current !== conversation || conversation.isHalfClosed) return;
        }
      } catch {
        // The call has ended; the message's line says that it was not sent.
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

/** Announces the latest reply, but no faster than a person can listen. */
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
