import { X509Certificate } from "node:crypto";
import net from "node:net";
import tls from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import { RequestNotSentError } from "../../internal/not-sent.ts";
import { explainAlert, HttpVersionError } from "./http-version-error.ts";
import { closedInHandshake, tlsFaultOf } from "./tls-faults.ts";

export interface TlsClientOptions {
  /** Certificate authorities to trust, in PEM. Default: those that Node.js trusts. */
  ca?: string | undefined;
  /** Client's own certificate and key, in PEM, for a server that asks for them (mutual TLS). */
  cert?: string | undefined;
  key?: string | undefined;
}

export interface SocketOptions {
  tls: TlsClientOptions;
  /** Protocol to agree on (RFC 7301): "h2" or "http/1.1". */
  alpn: "h2" | "http/1.1";
  /** Time for name lookup, TCP and TLS together, in milliseconds. */
  connectTimeoutMs: number;
  /** Aborted when nobody needs the connection any more. */
  signal?: AbortSignal | undefined;
}

/** Shortest time that an HTTP/1.1 request waits for the server to accept the client's certificate, in milliseconds. */
const MIN_VERDICT_MS = 200;
const MAX_VERDICT_MS = 1_000;
/**
 * Number of timers that divide that wait. Timers run before socket events, so time in which the event loop was busy
 * uses up one part at most.
 */
const VERDICT_STEPS = 4;

/** Interval of TCP keepalive probes, in milliseconds. They keep firewalls from forgetting quiet connections. */
const TCP_KEEPALIVE_MS = 30_000;

export interface OpeningSocket {
  readonly socket: net.Socket;
  /** Rejects with a ConnectError, unavailable and caused by a RequestNotSentError. The socket is then destroyed. */
  readonly ready: Promise<void>;
}

/**
 * Opens a connection to an origin. Resolves after its TLS handshake.
 *
 * @throws ConnectError unavailable, caused by a RequestNotSentError.
 */
export async function openSocket(origin: string, options: SocketOptions): Promise<net.Socket> {
  const { socket, ready } = startSocket(origin, options);
  await ready;
  return socket;
}

/** Does the same, but returns the socket immediately. @throws ConnectError for an unusable certificate or key. */
export function startSocket(origin: string, options: SocketOptions): OpeningSocket {
  const socket = connect(origin, options);
  return { socket, ready: untilReady(socket, origin, options) };
}

function connect(origin: string, { tls: credentials, alpn }: SocketOptions): net.Socket {
  const { hostname, port, protocol } = new URL(origin);
  const isTls = protocol === "https:";
  const host = hostname.replace(/^\[|\]$/g, "");
  const address = { host, port: Number(port || (isTls ? 443 : 80)) };
  if (!isTls) return net.connect(address);
  try {
    return tls.connect({
      ...address,
      ...credentials,
      ...(net.isIP(host) === 0 ? { servername: host } : { checkServerIdentity: checkAddress }),
      minVersion: "TLSv1.2",
      ALPNProtocols: [alpn],
    });
  } catch (error) {
    throw notSent(origin, error);
  }
}

/** Returns the error of a certificate that is not for an IP address. Node.js 22.23 accepts none for an IPv6 address. */
function checkAddress(address: string, certificate: tls.PeerCertificate): Error | undefined {
  const isNamed = new X509Certificate(certificate.raw).checkIP(address) !== undefined;
  return isNamed ? undefined : tls.checkServerIdentity(address, certificate);
}

async function untilReady(socket: net.Socket, origin: string, options: SocketOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const startedAtMs = performance.now();
  const timeout = () => reject(new Error(`no connection within ${options.connectTimeoutMs} ms`));
  const timer = setTimeout(timeout, options.connectTimeoutMs);
  const closed = () => reject(new Error("the connection was closed"));
  const isTls = socket instanceof tls.TLSSocket;
  let isReady = false;
  let isCut = false;
  const ended = () => {
    isCut = true;
    closed();
  };
  const failed = (error: NodeJS.ErrnoException) => {
    isCut = isCutCode(error);
    reject(error);
  };
  const { signal } = options;
  signal?.addEventListener("abort", closed);
  if (signal?.aborted) closed();
  socket
    .once(isTls ? "secureConnect" : "connect", resolve)
    .once("error", failed)
    .once("close", ended);
  try {
    await promise;
    isReady = true;
    if (isTls && options.alpn === "http/1.1") await untilAccepted(socket, options, performance.now() - startedAtMs);
    // A server can refuse the client's certificate in the same packet (TLS 1.3).
    if (socket.errored || socket.destroyed) throw socket.errored ?? new Error("the connection was closed");
    if (isTls && options.alpn === "h2" && socket.alpnProtocol !== "h2") {
      throw new HttpVersionError("2");
    }
    socket.setNoDelay(true).setKeepAlive(true, TCP_KEEPALIVE_MS);
  } catch (error) {
    const isCutInHandshake = isTls && isCut && !isReady && !socket.connecting;
    const fault = isCutInHandshake ? closedInHandshake(options.tls, { isDone: false }) : error;
    const failure = notSent(origin, explainAlert(fault, options.alpn === "h2" ? "2" : "1.1"));
    socket.on("error", () => {});
    socket.destroy(failure);
    throw failure;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", closed);
    socket.off("error", failed).off("close", ended);
  }
}

/** Returns whether the error means that the other side has ended the connection. */
export function isCutCode({ code }: NodeJS.ErrnoException): boolean {
  return code === "ECONNRESET" || code === "EPIPE";
}

/**
 * Waits until the server has accepted the client's certificate. In TLS 1.3 the client finishes the handshake a round
 * trip before the server does. If a request follows a refused certificate, the kernel resets the connection, and the
 * alert is lost. The first session ticket shows that the server has finished too (RFC 8446, 4.6.1); over HTTP/2, its
 * first frame does. With a server that sends no tickets, each connection costs 200 ms more, or the time of the
 * handshake, up to 1 s.
 */
async function untilAccepted(socket: tls.TLSSocket, options: SocketOptions, handshakeMs: number): Promise<void> {
  if (socket.getProtocol() !== "TLSv1.3" || socket.destroyed) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stepMs = Math.min(MAX_VERDICT_MS, Math.max(MIN_VERDICT_MS, handshakeMs)) / VERDICT_STEPS;
  let steps = 0;
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    steps += 1;
    if (steps > VERDICT_STEPS) resolve();
    else timer = setTimeout(wait, stepMs);
  };
  wait();
  const closed = () => reject(closedInHandshake(options.tls, { isDone: true }));
  const failed = (error: NodeJS.ErrnoException) => (isCutCode(error) ? closed() : reject(error));
  // Node.js 22 loses what is written within this event.
  const accepted = () => setImmediate(resolve);
  socket.once("session", accepted).once("error", failed).once("close", closed);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    socket.off("session", accepted).off("error", failed).off("close", closed);
  }
}

/** Creates the error of a call that its server has not received. */
export function notSent(origin: string, error: unknown): ConnectError {
  const fault = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  // Waiting changes neither a certificate nor a proxy's HTTP answer.
  const { message, isTransient } = tlsFaultOf(fault) ?? {
    message: fault instanceof Error ? fault.message : String(fault),
    isTransient: !(fault instanceof HttpVersionError),
  };
  const cause = new RequestNotSentError(`${origin}: ${message}`, { cause: error, isTransient });
  return new ConnectError(cause.message, Code.Unavailable, undefined, undefined, cause);
}

/** Creates the error of a call to a closed client. */
export function closedError(): ConnectError {
  const cause = new RequestNotSentError("the client is closed", { isTransient: false });
  return new ConnectError(cause.message, Code.Canceled, undefined, undefined, cause);
}

/** Returns the error of an unsent call, marked as not transient, for a call that does not wait for a connection. */
export function toFinal(error: unknown): ConnectError {
  const { rawMessage, code } = ConnectError.from(error);
  const cause = new RequestNotSentError(rawMessage, { cause: error, isTransient: false });
  return new ConnectError(rawMessage, code, undefined, undefined, cause);
}
