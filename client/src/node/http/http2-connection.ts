import { once } from "node:events";
import http2 from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { ConnectionLostError } from "../../internal/not-sent.ts";
import type { Address } from "./address.ts";
import { HttpVersionError } from "./http-version-error.ts";
import { isCutCode, notSent, openSocket, type TlsClientOptions } from "./open-socket.ts";
import type { PoolSettings } from "./pool-options.ts";
import { closedInHandshake, SpeaksTlsError } from "./tls-faults.ts";

/** Most bytes that a stream, and all streams of a connection together, may receive before they are read. */
const STREAM_WINDOW_BYTES = 1024 ** 2;
const CONNECTION_WINDOW_BYTES = 4 * 1024 ** 2;

/** nghttp2's error NGHTTP2_ERR_PROTO, for a first frame that is not the server's SETTINGS (RFC 9113, 3.4). */
const NOT_HTTP2 = -505;

/**
 * Time for which a connection limits itself to the few calls that its address takes at first, in milliseconds. Silent
 * streams must not hold up calls for longer.
 */
const YOUNG_MS = 1_000;

/**
 * Silence after the request of a call that has ended without an answer, in milliseconds, after which a PING finds out
 * whether the connection is dead. A deadline may be much shorter than the interval of PINGs.
 */
const UNANSWERED_MS = 1_000;
/**
 * Time for which a connection still gets new calls while a PING is not answered, in milliseconds. After a call without an
 * answer it gets none.
 */
const PONG_MS = 1_000;

export interface Http2ConnectionOptions extends PoolSettings {
  tls: TlsClientOptions;
  /** Aborts a connection that is still opening. */
  signal: AbortSignal;
  /** Called when another stream can be opened, or the connection takes no more streams. */
  onChange(connection: Http2Connection): void;
}

/**
 * One HTTP/2 connection. It takes streams until it is too old, idle, or gets a GOAWAY. Then open streams finish, and it
 * closes. Without streams it does not keep the process alive.
 */
export class Http2Connection {
  readonly address: Address;
  readonly #session: http2.ClientHttp2Session;
  readonly #socket: Socket;
  readonly #options: Http2ConnectionOptions;
  readonly #ageTimer: NodeJS.Timeout;
  #idleTimer: NodeJS.Timeout | undefined;
  /** Runs {@link #watch}. */
  #watchTimer: NodeJS.Timeout | undefined;
  /** Start of the silence: when the last bytes came, when the connection became busy, or when a PING was sent. */
  #silentSinceMs = 0;
  /** When the request of a call was sent that has ended without an answer, unless something was heard since. */
  #unansweredSinceMs = Infinity;
  /** Whether a PING waits for its answer. */
  #isPinging = false;
  /** Time from which the connection counts as doubtful, since its PING is not answered. */
  #doubtfulAtMs = Infinity;
  /** Whether the server has begun to answer a call. */
  #hasAnswered = false;
  #streamCount = 0;
  #takesStreams = true;
  #goawayLastId: number | undefined;
  #isLost = false;
  /** Most streams at the same time. Unlimited on this side after {@link YOUNG_MS}. */
  #maxStreams: number;
  #youngTimer: NodeJS.Timeout | undefined;

  /** @throws ConnectError unavailable, caused by a RequestNotSentError. */
  static async open(address: Address, options: Http2ConnectionOptions): Promise<Http2Connection> {
    const { connectTimeoutMs, signal } = options;
    const startedAtMs = performance.now();
    const socket = await openSocket(address.origin, { ...options, alpn: "h2" });
    const isTls13 = socket instanceof TLSSocket && socket.getProtocol() === "TLSv1.3";
    let fault: Error | undefined;
    // Node.js waits for the other side to close, which never happens after a refused client certificate.
    socket.on("error", (error) => {
      fault = error;
      socket.destroy();
    });
    const session = http2.connect(address.origin, {
      createConnection: () => socket,
      settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
    });
    // This listener stays for the whole life of the session: an error without one would end the process.
    session.on("error", () => {});
    const remainingMs = Math.max(1, connectTimeoutMs - (performance.now() - startedAtMs));
    const gaveUp = new AbortController();
    const giveUp = () => gaveUp.abort();
    const timer = setTimeout(giveUp, remainingMs);
    session.once("close", giveUp);
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    try {
      // The server's settings show how many streams it accepts, and that it is alive.
      await once(session, "remoteSettings", { signal: gaveUp.signal });
    } catch (error) {
      const isEnded = session.destroyed && !signal.aborted && (!fault || isCutCode(fault));
      const isClosed = session.destroyed || signal.aborted;
      const reason = isClosed ? "the connection was closed" : `no HTTP/2 within ${connectTimeoutMs} ms`;
      session.destroy();
      const isOver = isClosed && !signal.aborted;
      if (isOver && (await address.speaksTls())) throw notSent(address.origin, new SpeaksTlsError({ cause: fault }));
      // In TLS 1.3, the server may still have refused the client's certificate.
      if (isEnded && isTls13) fault = closedInHandshake(options.tls, { isDone: true });
      const isOtherHttp = (fault as NodeJS.ErrnoException | undefined)?.errno === NOT_HTTP2;
      const cause = isOtherHttp ? new HttpVersionError("2", { cause: fault }) : fault;
      throw notSent(address.origin, cause ?? new Error(reason, { cause: error }));
    } finally {
      clearTimeout(timer);
      session.off("close", giveUp);
      signal.removeEventListener("abort", giveUp);
    }
    return new Http2Connection(address, socket, session, options);
  }

  private constructor(
    address: Address,
    socket: Socket,
    session: http2.ClientHttp2Session,
    options: Http2ConnectionOptions,
  ) {
    this.address = address;
    this.#session = session;
    this.#socket = socket;
    this.#options = options;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on("goaway", (_code: number, lastStreamId: number) => {
      this.#goawayLastId = lastStreamId;
      this.#noteEnd();
      this.retire();
    });
    session.on("remoteSettings", () => options.onChange(this));
    // Runs before Node's own listener, which closes the streams as if they were canceled.
    socket.prependOnceListener("close", () => {
      this.#isLost = true;
    });
    session.once("close", () => {
      clearTimeout(this.#watchTimer);
      clearTimeout(this.#youngTimer);
      this.#noteEnd();
      this.retire();
      options.onChange(this);
    });
    const ageMs = options.maxAgeMs * (1 - Math.random() / 10);
    this.#ageTimer = setTimeout(() => this.retire(), ageMs).unref();
    this.#maxStreams = address.firstCalls;
    if (this.#maxStreams < Infinity) this.#growUp();
    this.#becomeIdle();
  }

  get streamCount(): number {
    return this.#streamCount;
  }

  /** Whether another stream can be opened now. */
  get hasRoom(): boolean {
    const { maxConcurrentStreams = Infinity } = this.#session.remoteSettings;
    if (!this.takesStreams || this.#streamCount >= Math.min(maxConcurrentStreams, this.#maxStreams)) return false;
    return !this.isDoubtful;
  }

  /** Whether a call can wait for its turn on this connection: the server accepts streams, and seems alive. */
  get isUsable(): boolean {
    return this.takesStreams && !this.isDoubtful && this.#session.remoteSettings.maxConcurrentStreams !== 0;
  }

  /** Whether a PING shows that the connection may be dead. It gets no new calls until something is heard. */
  get isDoubtful(): boolean {
    return this.#doubtfulAtMs !== Infinity && performance.now() >= this.#doubtfulAtMs;
  }

  /** False if the connection only finishes its open streams. */
  get takesStreams(): boolean {
    return this.#takesStreams && !this.isLost;
  }

  /** Whether the connection itself has ended, and its streams with it. */
  get isLost(): boolean {
    return this.#isLost || this.#session.destroyed;
  }

  /** Returns whether the server has said that it will not process the stream (RFC 9113, 6.8). */
  isRefusedByGoaway(streamId: number): boolean {
    return this.#goawayLastId !== undefined && streamId > this.#goawayLastId;
  }

  /** Reserves a place for a stream. {@link release} must be called once for it. */
  reserve(): void {
    this.#streamCount += 1;
    if (this.#streamCount === 1) this.#becomeBusy();
  }

  /** Opens the stream of a reserved place. @throws Error when the session has just ended. */
  request(headers: http2.OutgoingHttpHeaders, options: http2.ClientSessionRequestOptions): http2.ClientHttp2Stream {
    return this.#session.request(headers, options);
  }

  /** Makes room for another stream. */
  release(): void {
    this.#streamCount -= 1;
    if (this.#streamCount === 0) this.#becomeIdle();
    this.#options.onChange(this);
  }

  /** Notes the head of an answer. */
  answered(): void {
    this.#hasAnswered = true;
    this.#maxStreams += 1;
    this.address.answered();
    this.heard();
  }

  /** Notes that the server has sent something, so that no PING is needed for a while. */
  heard(): void {
    this.#silentSinceMs = performance.now();
    this.#unansweredSinceMs = Infinity;
    if (this.#doubtfulAtMs === Infinity) return;
    this.#doubtfulAtMs = Infinity;
    this.#options.onChange(this);
  }

  /** Notes that a call has ended without an answer. If the silence lasts, a PING follows. */
  unanswered(sentAtMs: number): void {
    if (this.#isPinging || this.#unansweredSinceMs !== Infinity) return;
    this.#unansweredSinceMs = Math.max(sentAtMs, this.#silentSinceMs);
    clearTimeout(this.#watchTimer);
    this.#watch();
  }

  /** Notes that calls were lost with the connection. Returns the cause of their errors. */
  lost(): ConnectionLostError {
    // A pool whose calls do not wait does not wait for the rests of an address either.
    return this.address.lost(this.#options.waitTimeoutMs !== 0);
  }

  /** Takes no more streams. Closes when the last one has ended. */
  retire(): void {
    if (!this.#takesStreams) return;
    this.#takesStreams = false;
    clearTimeout(this.#ageTimer);
    clearTimeout(this.#idleTimer);
    if (this.#streamCount === 0) this.#session.destroy();
    else if (!this.#session.closed) this.#session.close();
    this.#options.onChange(this);
  }

  /** Resolves when the connection is closed. */
  async closed(): Promise<void> {
    if (this.#session.destroyed) return;
    await new Promise<void>((resolve) => this.#session.once("close", resolve));
  }

  /** Ends the connection with all its streams. */
  destroy(): void {
    this.#isLost = true;
    this.#session.destroy(new Error("the connection was cut"), http2.constants.NGHTTP2_CANCEL);
    // A closed session waits until everything is sent. If the server does not read, that never happens.
    this.#socket.destroy();
  }

  #growUp(): void {
    this.#youngTimer = setTimeout(() => {
      this.#maxStreams = Infinity;
      this.#options.onChange(this);
    }, YOUNG_MS).unref();
  }

  #becomeBusy(): void {
    clearTimeout(this.#idleTimer);
    this.#session.ref();
    if (this.#isPinging) return;
    this.#silentSinceMs = performance.now();
    // The timer is left running between calls, since setting it for each would cost more.
    if (!this.#watchTimer) this.#watch();
  }

  #becomeIdle(): void {
    // A session that was closed while streams were open does not always end with the last of them.
    if (this.#takesStreams) {
      this.#session.unref();
      this.#idleTimer = setTimeout(() => this.retire(), this.#options.idleTimeoutMs).unref();
    } else {
      this.#session.destroy();
      this.#socket.destroy();
    }
  }

  /** Makes the address rest if the server ends the connection before it was of use. */
  #noteEnd(): void {
    if (this.#takesStreams && !this.#hasAnswered) this.address.failed();
  }

  /** Sends a PING after silence, and ends the connection if that is not answered, with or without calls. */
  #watch(): void {
    this.#watchTimer = undefined;
    if (this.#session.destroyed) return;
    const isUnanswered = this.#unansweredSinceMs !== Infinity;
    if (this.#streamCount === 0 && !isUnanswered && !this.#isPinging) return;
    const { pingIntervalMs, pingTimeoutMs } = this.#options;
    const endsAtMs = this.#isPinging
      ? this.#silentSinceMs + pingTimeoutMs
      : Math.min(this.#silentSinceMs + pingIntervalMs, this.#unansweredSinceMs + UNANSWERED_MS);
    const remainingMs = endsAtMs - performance.now();
    if (remainingMs > 0) this.#watchTimer = setTimeout(() => this.#watch(), remainingMs).unref();
    else if (this.#isPinging) this.destroy();
    else this.#ping(isUnanswered);
  }

  #ping(isUnanswered: boolean): void {
    this.#isPinging = true;
    this.#silentSinceMs = performance.now();
    this.#doubtfulAtMs = this.#silentSinceMs + (isUnanswered ? 0 : PONG_MS);
    this.#watch();
    this.#session.ping(() => {
      if (this.#session.destroyed) return;
      this.#isPinging = false;
      this.heard();
      clearTimeout(this.#watchTimer);
      this.#watch();
    });
    if (isUnanswered) this.#options.onChange(this);
  }
}
