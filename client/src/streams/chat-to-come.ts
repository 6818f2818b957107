import type { Chat } from "./chat.ts";

/**
 * Returns a chat immediately for one that is still being opened. Its methods wait for the opening, and then run in
 * order.
 */
export function chatToCome(opening: Promise<Chat>): Chat {
  // The error goes to the reader of the chat.
  opening.catch(() => {});
  const later = (act: (chat: Chat) => void) => void opening.then(act, () => {});
  const cancel = () => later((chat) => chat[Symbol.dispose]());
  return {
    send: async (message) => (await opening).send(message),
    end: () => later((chat) => chat.end()),
    [Symbol.asyncIterator]() {
      const replies = opening.then((chat) => chat[Symbol.asyncIterator]());
      replies.catch(() => {});
      return {
        next: async () => (await replies).next(),
        async return() {
          cancel();
          return { done: true, value: undefined };
        },
      };
    },
    [Symbol.dispose]: cancel,
  };
}
