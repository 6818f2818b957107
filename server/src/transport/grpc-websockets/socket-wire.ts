import type { Socket } from "node:net";
import type { ConnectError } from "@connectrpc/connect";
import { GrowingBuffer } from "@rollcall/shared/growing-buffer";
import type { BodyReceiver, Wire } from "../engine/wire.ts";
import { INTERNAL_ERROR, NORMAL } from "./close-codes.ts";
import type { CallSocket } from "./exchange.ts";
import { fieldOf, formatHeaderFrame } from "./header.ts";
import { PIECE_BYTES } from "./send.ts";

/** Unsent bytes below which an answer may continue. They keep a fast reader's network busy. */
const HIGH_WATER_BYTES = 16 * 1_024;
/** Largest part that arrives together with a header block: one read of Node's. */
const MAX_EARLY_BYTES = 64 * 1_024;
/** Header without a meaning outside of HTTP. */
const HTTP_ONLY_HEADER = "x-content-type-options";

/** Wire of a call over a WebSocket, whose frames `SocketCall` reads. */
export class SocketWire implements Wire {
  readonly rawHeaders: readonly string[];
  readonly #socket: CallSocket;
  readonly #tcp: Socket;
  readonly #stallTimeoutMs: number;
  #receiver: BodyReceiver | undefined;
  #header: readonly string[] | undefined;
  /** Bytes that wait until earlier ones are sent. */
  #waiting: Uint8Array[] | undefined;
  #waitingBytes = 0;
  /** Runs while a piece waits for the network. */
  #stallTimer: NodeJS.Timeout | undefined;
  #isFull = false;
  #isIgnored = false;
  #hasEnded = false;
  /** Bytes that arrived together with the header block, before the gate, and whether the request ended with it. */
  #early: GrowingBuffer | undefined;
  #earlyEnd: { error: ConnectError | undefined } | undefined;
  #isReceived = false;

  /**
   * @param fields Headers of the call: names and values in turn.
   * @param stallTimeoutMs Time for each piece of the answer to be sent, in milliseconds.
   */
  constructor(socket: CallSocket, tcp: Socket, fields: readonly string[], stallTimeoutMs: number) {
    this.#socket = socket;
    this.#tcp = tcp;
    this.rawHeaders = fields;
    this.#stallTimeoutMs = stallTimeoutMs;
  }

  header(name: string): string | undefined {
    return fieldOf(this.rawHeaders, name);
  }

  watch(receiver: BodyReceiver): void {
    this.#receiver = receiver;
  }

  receive(): void {
    const receiver = this.#receiver;
    const early = this.#early;
    this.#isReceived = true;
    this.#early = undefined;
    this.#socket.holds.release("gate");
    if (early && !this.#isIgnored) receiver?.onData(early.bytes);
    if (this.#earlyEnd) receiver?.onEnd(this.#earlyEnd.error);
  }

  /** Passes on a part of the request. */
  push(bytes: Buffer): void {
    if (this.#isIgnored) return;
    if (this.#isReceived) this.#receiver?.onData(bytes);
    else {
      // There may be many small parts.
      this.#early ??= new GrowingBuffer(MAX_EARLY_BYTES);
      this.#early.append(bytes);
    }
  }

  endRequest(error?: ConnectError): void {
    if (this.#isReceived) this.#receiver?.onEnd(error);
    else this.#earlyEnd = { error };
  }

  /** Reports that the socket has gone. */
  close(): void {
    this.#stopWaiting();
    this.#waiting = undefined;
    this.#waitingBytes = 0;
    this.#receiver?.onClose();
    this.#receiver = undefined;
  }

  pause(): void {
    this.#socket.holds.add("body");
  }

  resume(): void {
    this.#socket.holds.release("body");
  }

  /** Continues to read, since an unread socket does not show that its client has gone. */
  ignoreRest(): void {
    this.#isIgnored = true;
    this.#socket.holds.release("body");
  }

  dropRest(): void {
    // Nothing to do: `SocketCall` bounds the bytes that arrive after the end.
  }

  respond(_status: number, headers: string[]): void {
    this.#header = headers;
  }

  respondAndEnd(status: number, headers: string[]): void {
    this.respond(status, headers);
    this.end(undefined);
  }

  write(bytes: Uint8Array): boolean {
    if (this.isClosed) return true;
    if (this.#header) {
      const fields = this.#header.filter((_, i, all) => all[i - (i % 2)] !== HTTP_ONLY_HEADER);
      this.#header = undefined;
      // The header has its own frame, which is sent together with the first one of the body.
      this.#tcp.cork();
      this.#send(formatHeaderFrame(fields));
      this.#send(bytes);
      this.#tcp.uncork();
    } else this.#send(bytes);
    this.#boundWait();
    this.#isFull ||= this.unsentBytes > HIGH_WATER_BYTES;
    return !this.#isFull;
  }

  end(bytes: Uint8Array | undefined): void {
    this.#hasEnded = true;
    this.write(bytes ?? new Uint8Array());
    if (this.unsentBytes === 0) this.#socket.finish(NORMAL);
  }

  reset(): void {
    this.#socket.finish(INTERNAL_ERROR);
  }

  refuse(): void {
    this.#socket.ws.terminate();
  }

  cutOff(): void {
    this.#socket.ws.terminate();
  }

  cutWhenStalled(): void {
    // Nothing to do: each piece has a time limit.
  }

  get queuedBytes(): number {
    return this.unsentBytes;
  }

  get unsentBytes(): number {
    return this.#waitingBytes + this.#socket.ws.bufferedAmount;
  }

  get isClosed(): boolean {
    const { ws } = this.#socket;
    return ws.readyState !== ws.OPEN;
  }

  /** Sends bytes in pieces, one after the other. The client sees a stream of bytes, wherever frames end. */
  #send(bytes: Uint8Array): void {
    const { ws } = this.#socket;
    let rest = bytes;
    while (rest.byteLength > 0) {
      if (this.#waiting || (rest.byteLength > PIECE_BYTES && this.#tcp.writableLength > 0)) {
        this.#waiting ??= [];
        this.#waiting.push(rest);
        this.#waitingBytes += rest.byteLength;
        return;
      }
      ws.send(rest.subarray(0, PIECE_BYTES), this.#onSent);
      rest = rest.subarray(PIECE_BYTES);
      // The next piece has to wait until the network has taken this one.
      if (rest.byteLength > 0 && this.#tcp.writableLength > 0) {
        this.#waiting = [rest];
        this.#waitingBytes = rest.byteLength;
        return;
      }
    }
  }

  readonly #onSent = (): void => {
    if (this.#tcp.writableLength > 0) {
      this.#stallTimer?.refresh();
      return;
    }
    this.#stopWaiting();
    const waiting = this.#waiting;
    if (waiting && !this.isClosed) {
      this.#waiting = undefined;
      this.#waitingBytes = 0;
      for (const bytes of waiting) this.#send(bytes);
      this.#boundWait();
    }
    if (this.unsentBytes > 0) return;
    if (this.#hasEnded) this.#socket.finish(NORMAL);
    else if (this.#isFull) {
      this.#isFull = false;
      this.#receiver?.onDrain();
    }
  };

  #boundWait(): void {
    if (this.#stallTimer || this.#tcp.writableLength === 0 || this.isClosed) return;
    this.#stallTimer = setTimeout(() => this.cutOff(), this.#stallTimeoutMs);
  }

  #stopWaiting(): void {
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
  }
}
