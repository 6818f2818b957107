import { Code, ConnectError, type ContextValues, createClient, type Transport } from "@connectrpc/connect";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { recordKey } from "./call-record.ts";

const importTransport = () => import("./streams-transport.ts");

/** Fetches ahead what the first call needs. */
export function preloadTransport(): void {
  importTransport().catch(() => {});
}

/** @throws ConnectError unavailable where it can't be fetched, which the call's record is told too. */
async function loadTransport(values: ContextValues | undefined): Promise<Transport> {
  try {
    return (await importTransport()).transport;
  } catch (cause) {
    const message = "a part of this page can't be loaded: load it again";
    const error = new ConnectError(message, Code.Unavailable, undefined, undefined, cause);
    values?.get(recordKey)?.fail(error);
    throw error;
  }
}

/** Streams of all kinds, to where this page came from; their calls can be recorded. */
export const streams = createClient(StreamService, {
  unary: async (...call) => (await loadTransport(call[5])).unary(...call),
  stream: async (...call) => (await loadTransport(call[5])).stream(...call),
});
