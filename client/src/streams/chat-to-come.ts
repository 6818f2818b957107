import type { Chat } from "./chat.ts";

/** Creates a chat at once from one that is still to be opened: what is asked of it is done then, in its order. */
export function chatToCome(opening: Promise<Chat>): Chat {
  // Whoever reads the chat gets the error.
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
