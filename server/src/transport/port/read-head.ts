import type { Socket } from "node:net";

/**
 * Reads a connection's first bytes until they are enough to decide what it is. Destroys the connection if that takes
 * longer than `timeoutMs`, or it ends before.
 *
 * @param decide Takes all bytes so far, and returns what to do with the connection, or undefined for more. That is done
 * in the turn of the event loop in which the last bytes were read, so that nothing behind them is missed.
 */
export function readHead(socket: Socket, timeoutMs: number, decide: (head: Buffer) => (() => void) | undefined): void {
  let head: Buffer = Buffer.alloc(0);
  const destroy = () => socket.destroy();
  const timer = setTimeout(destroy, timeoutMs);
  const onReadable = () => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    head = Buffer.concat([head, chunk]);
    const goOn = decide(head);
    if (!goOn) return;
    stop();
    goOn();
  };
  const stop = () => {
    clearTimeout(timer);
    socket.off("readable", onReadable).off("end", destroy).off("error", destroy).off("close", stop);
  };
  socket.on("readable", onReadable).on("end", destroy).on("error", destroy).on("close", stop);
}
