import type { Writable } from "node:stream";
import type { ReplayableBody } from "./replayable-body.ts";

/**
 * Writes a request's body as fast as the other side accepts it. Stops when the request is closed, whoever closed it.
 * Rejects with the error of the body's source.
 */
export async function writeBody(body: ReplayableBody, request: Writable): Promise<void> {
  for await (const chunk of body.read()) {
    if (request.destroyed || request.writableEnded) return;
    if (!request.write(chunk)) await drainedOrClosed(request);
    if (request.destroyed) return;
  }
  if (!request.destroyed) request.end();
}

function drainedOrClosed(request: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      request.off("drain", settle).off("close", settle);
      resolve();
    };
    request.on("drain", settle).on("close", settle);
  });
}
