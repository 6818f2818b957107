import type { Transport } from "@connectrpc/connect";

/** Replaces the code that closes a client: this app's own client lasts as long as the page. */
export function closable(transport: Transport): Transport & { close(): never } {
  return {
    ...transport,
    close() {
      throw new Error("this app's client is never closed");
    },
  };
}
