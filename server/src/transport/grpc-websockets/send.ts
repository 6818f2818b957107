import { Code } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { WebSocket } from "ws";
import { isTurnOver, nextTurn } from "../../runtime/loop-turn.ts";
import { formatHeaderFrame } from "./header.ts";

/** Bytes of an answer in one frame. The client sees a stream of bytes, wherever frames end. */
export const PIECE_BYTES = 64 * 1_024;

export interface SendOptions {
  requestId: string;
  /** Time for each piece of the answer to be sent, in milliseconds. Then the socket is terminated. */
  stallTimeoutMs: number;
  /** Called with the number of bytes that are ready, and that the socket has not been given yet. */
  onUnsent(bytes: number): void;
}

/**
 * Sends a call's answer, its headers first.
 *
 * @throws Error when the socket has gone, or from the answer's body.
 */
export async function sendResponse(
  ws: WebSocket,
  response: UniversalServerResponse,
  options: SendOptions,
): Promise<void> {
  const header = new Headers(response.header);
  header.set("x-request-id", options.requestId);
  // Connect refuses some requests by HTTP status alone, for example for an unknown media type. This protocol has no
  // HTTP status, so send one of gRPC's.
  if (response.status !== 200) header.set("grpc-status", String(Code.Unimplemented));
  let headerFrame: Uint8Array | undefined = formatHeaderFrame([...header].flat());
  // Handlers resolve when the first chunk is ready. The headers are sent within the loop, so that the body is ended if
  // the socket has gone.
  for await (const chunk of response.body ?? []) {
    if (headerFrame) await sendInPieces(ws, headerFrame, options);
    headerFrame = undefined;
    await sendInPieces(ws, chunk, options);
  }
  if (headerFrame) await sendInPieces(ws, headerFrame, options);
}

/**
 * Resolves when the bytes have been sent to the network, so that a slow reader slows its handler. Sends them in pieces,
 * each with a time limit, which cuts off clients that do not read.
 *
 * A very slow reader is cut off too: progress shows only when the kernel's send buffer frees up, and Linux reports that
 * in steps of a third of the buffer. With a 4 MiB buffer and the default minute, a client has to read at least 23 KB/s.
 *
 * @throws Error when the socket has gone.
 */
async function sendInPieces(
  ws: WebSocket,
  bytes: Uint8Array,
  { stallTimeoutMs, onUnsent }: SendOptions,
): Promise<void> {
  for (let start = 0; start < bytes.byteLength; start += PIECE_BYTES) {
    onUnsent(Math.max(0, bytes.byteLength - start - PIECE_BYTES));
    await sendPiece(ws, bytes.subarray(start, start + PIECE_BYTES), stallTimeoutMs);
    // If the network takes the bytes immediately, the next piece need not wait for another turn of the loop.
    if (isTurnOver()) await nextTurn();
  }
}

function sendPiece(ws: WebSocket, bytes: Uint8Array, stallTimeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => ws.terminate(), stallTimeoutMs);
    ws.send(bytes, (error) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve();
    });
  });
}
