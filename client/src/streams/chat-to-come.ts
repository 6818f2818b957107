import type { Chat } from "./chat.ts";

/**
 * Returns a chat immediately for one that is still being opened. Its methods wait for the opening, and then run in
 * order.
 */
export function chatToCome(opening: Promise<Chat>): Chat {
  // The error goes to the reader of the chat.
  opening.catch(() => {});
  const later = (act: (chat: Chat) => void) => void opening.then(act, () => {});
  return {
    send: async (message) => (await opening).send(message),
    end: () => later((chat) => chat.end()),
    async *[Symbol.asyncIterator]() {
      yield* await opening;
    },
    [Symbol.dispose]: () => later((chat) => chat[Symbol.dispose]()),
  };
}
