import { Code, ConnectError, type ContextValues, createClient, type Transport } from "@connectrpc/connect";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { recordKey } from "./call-record.ts";

const importTransport = () => import("./streams-transport.ts");

/** Loads in advance the code that the first call needs. */
export function preloadTransport(): void {
  importTransport().catch(() => {});
}

/** @throws ConnectError unavailable if the code can't be loaded; the call's record gets the error too. */
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

/** Client of the streams, on the server that this page came from. Its calls can be recorded. */
export const streams = createClient(StreamService, {
  unary: async (...call) => (await loadTransport(call[5])).unary(...call),
  stream: async (...call) => (await loadTransport(call[5])).stream(...call),
});
