import { Code } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { WebSocket } from "ws";
import { isTurnOver, nextTurn } from "../../runtime/loop-turn.ts";
import { formatHeaderFrame } from "./header.ts";

/** Of an answer at once, in bytes: the protocol sees a stream of bytes, wherever its frames end. */
const PIECE_BYTES = 64 * 1_024;

export interface SendOptions {
  requestId: string;
  /** For each piece of the answer to leave, in milliseconds; then the socket is terminated. */
  stallTimeoutMs: number;
  /** Called with what has not been given to the socket yet of what is at hand, in bytes. */
  onUnsent(bytes: number): void;
}

/**
 * Sends a call's answer, its headers first.
 *
 * @throws Error when the socket has gone, or what the answer's body throws.
 */
export async function sendResponse(
  ws: WebSocket,
  response: UniversalServerResponse,
  options: SendOptions,
): Promise<void> {
  const header = new Headers(response.header);
  header.set("x-request-id", options.requestId);
  // What Connect refuses by an HTTP status, such as a media type, has no other here.
  if (response.status !== 200) header.set("grpc-status", String(Code.Unimplemented));
  let headerFrame: Uint8Array | undefined = formatHeaderFrame(header);
  // Handlers resolve with the first chunk at hand. The headers are sent from
  // within the loop, which ends the body when the socket has gone.
  for await (const chunk of response.body ?? []) {
    if (headerFrame) await sendInPieces(ws, headerFrame, options);
    headerFrame = undefined;
    await sendInPieces(ws, chunk, options);
  }
  if (headerFrame) await sendInPieces(ws, headerFrame, options);
}

/**
 * Resolves when the bytes have left for the network, so that a slow reader slows
 * its handler. They leave in pieces, each of which must do so in time: one who
 * does not read is cut off. So is one who reads very slowly, for of progress only
 * room in the kernel's buffer tells, and Linux tells of it by the third: of the
 * 4 MiB that it may grow to, in the default minute, 23 KB/s.
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
    // What the network takes at once is sent without a turn of the loop.
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
