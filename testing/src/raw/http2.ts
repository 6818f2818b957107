import { connect, type Socket } from "node:net";

/** Frame types (RFC 9113, 6). */
export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const END_HEADERS = 4;
export const ACK = 1;

export const REFUSED_STREAM = 7;
export const CANCEL = 8;
export const ENHANCE_YOUR_CALM = 11;

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const INITIAL_WINDOW_SIZE = 4;
const FRAME_HEADER_BYTES = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(FRAME_HEADER_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Splits the bytes of a connection into frames. @returns The beginning of the next one. */
export function splitFrames(bytes: Buffer, onFrame: (frame: Frame) => void): Buffer {
  let start = 0;
  while (bytes.byteLength - start >= FRAME_HEADER_BYTES) {
    const end = start + FRAME_HEADER_BYTES + bytes.readUIntBE(start, 3);
    if (end > bytes.byteLength) break;
    onFrame({
      type: bytes.readUInt8(start + 3),
      flags: bytes.readUInt8(start + 4),
      streamId: bytes.readUInt32BE(start + 5),
      payload: bytes.subarray(start + FRAME_HEADER_BYTES, end),
    });
    start = end;
  }
  return bytes.subarray(start);
}

/** Encodes header fields as literals without indexing (RFC 7541, 6.2.2). */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.of(0), hpackString(name), hpackString(value)]),
  );
}

/** Encodes a string without Huffman coding, after its length (RFC 7541, 5). */
export function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const length: number[] = [Math.min(bytes.length, 127)];
  for (let rest = bytes.length - 127; rest >= 0; rest = rest < 128 ? -1 : rest >>> 7) {
    length.push(rest < 128 ? rest : (rest & 127) | 128);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** Returns the headers of a POST request. */
export function postTo(path: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/json",
    ...more,
  };
}

export interface RawHttp2Options {
  /** Initial window for answers, in bytes. Default: no limit. */
  initialWindowBytes?: number;
  /** Local address to connect from. */
  localAddress?: string;
  /** Whether the client answers the server's pings and settings. Default true. */
  acknowledges?: boolean;
}

/** An HTTP/2 client written by hand, which keeps only the rules that it is told to. */
export class RawHttp2 {
  readonly socket: Socket;
  readonly received: Frame[] = [];
  /** Resolves when the connection has ended in any way. */
  readonly closed: Promise<void>;
  isClosed = false;
  /** Bytes that the server lets the client send: on the connection, on a new stream, and on open streams. */
  connectionWindow = 65_535;
  initialWindow = 65_535;
  readonly #windows = new Map<number, number>();
  readonly #acknowledges: boolean;
  #nextStreamId = 1;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, acknowledges: boolean) {
    this.socket = socket;
    this.#acknowledges = acknowledges;
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.isClosed = true;
        resolve();
      });
    });
  }

  /** Opens a connection, and waits until its server has sent its settings. */
  static async open(port: number, options: RawHttp2Options = {}): Promise<RawHttp2> {
    const { initialWindowBytes = 2 ** 31 - 1, localAddress, acknowledges = true } = options;
    const socket = connect({ port, host: "127.0.0.1", ...(localAddress && { localAddress }) });
    const client = new RawHttp2(socket, acknowledges);
    await client.#event("connect");
    const settings = Buffer.concat([Buffer.of(0, INITIAL_WINDOW_SIZE), uint32(initialWindowBytes)]);
    client.send(PREFACE, frame(SETTINGS, 0, 0, settings));
    await client.next(({ type, flags }) => type === SETTINGS && flags === 0);
    return client;
  }

  send(...frames: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  /** Sends, and waits until the kernel has accepted the bytes, or the connection has ended. */
  async sendAll(bytes: Uint8Array): Promise<void> {
    if (this.isClosed || this.socket.destroyed || this.socket.write(bytes)) return;
    await this.#event("drain");
  }

  /** Waits for an event of the socket, or its end. Unlike `once`, never throws. */
  #event(name: "data" | "drain" | "connect"): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once(name, () => resolve());
      this.closed.then(resolve);
    });
  }

  /** Begins a request, and returns the number of its stream. */
  request(headers: Readonly<Record<string, string>>, flags = 0): number {
    const streamId = this.reserveStreamId();
    this.send(frame(HEADERS, END_HEADERS | flags, streamId, headerBlock(headers)));
    return streamId;
  }

  reserveStreamId(): number {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    return streamId;
  }

  /** Returns the number of bytes that may be sent on a stream now. */
  window(streamId: number): number {
    return Math.min(this.connectionWindow, this.initialWindow + (this.#windows.get(streamId) ?? 0));
  }

  /** Sends a piece of a body in frames of one size, each with the same content, and updates the windows. */
  sendData(
    streamId: number,
    bytes: number,
    frameBytes: number,
    content: Uint8Array = Buffer.alloc(frameBytes, " "),
  ): void {
    const one = frame(DATA, 0, streamId, content);
    this.send(...Array.from({ length: Math.floor(bytes / frameBytes) }, () => one));
    const sent = Math.floor(bytes / frameBytes) * frameBytes;
    this.connectionWindow -= sent;
    this.#windows.set(streamId, (this.#windows.get(streamId) ?? 0) - sent);
  }

  /** Waits for a frame; resolves with undefined if the connection ends first. */
  async next(matches: (frame: Frame) => boolean): Promise<Frame | undefined> {
    for (;;) {
      const found = this.received.find(matches);
      if (found || this.isClosed) return found;
      await this.#event("data");
    }
  }

  /** Code of the GOAWAY with which the server closed the connection, if it sent one. */
  get goawayCode(): number | undefined {
    return this.received.findLast(({ type }) => type === GOAWAY)?.payload.readUInt32BE(4);
  }

  resetCode(streamId: number): number | undefined {
    return this.received
      .find((frame) => frame.type === RST_STREAM && frame.streamId === streamId)
      ?.payload.readUInt32BE(0);
  }

  destroy(): void {
    this.socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#rest = splitFrames(Buffer.concat([this.#rest, bytes]), ({ payload, ...head }) => {
      const received = { ...head, payload: Buffer.from(payload) };
      this.received.push(received);
      this.#react(received);
    });
  }

  #react({ type, flags, streamId, payload }: Frame): void {
    if (type === WINDOW_UPDATE) {
      const more = payload.readUInt32BE(0);
      if (streamId === 0) this.connectionWindow += more;
      else this.#windows.set(streamId, (this.#windows.get(streamId) ?? 0) + more);
    } else if (type === SETTINGS && flags === 0) {
      for (let at = 0; at < payload.length; at += 6) {
        if (payload.readUInt16BE(at) === INITIAL_WINDOW_SIZE) this.initialWindow = payload.readUInt32BE(at + 2);
      }
      if (this.#acknowledges) this.send(frame(SETTINGS, ACK, 0));
    } else if (type === PING && flags === 0 && this.#acknowledges) this.send(frame(PING, ACK, 0, payload));
  }
}
