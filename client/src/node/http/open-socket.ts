import net from "node:net";
import tls from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import { RequestNotSentError } from "../../not-sent.ts";
import { explainAlert, HttpVersionError } from "./http-version-error.ts";

export interface TlsClientOptions {
  /** Authorities to trust, in PEM. Default: those that Node trusts. */
  ca?: string | undefined;
  /** The client's own certificate and key, in PEM, for a server that asks for them (mutual TLS). */
  cert?: string | undefined;
  key?: string | undefined;
}

export interface SocketOptions {
  tls: TlsClientOptions;
  /** Protocol to agree on (RFC 7301): "h2" or "http/1.1". */
  alpn: "h2" | "http/1.1";
  /** For the name, TCP and TLS together, in milliseconds. */
  connectTimeoutMs: number;
  /** Aborted: nobody needs the connection any more. */
  signal?: AbortSignal | undefined;
}

/** Probes of the TCP connection itself, against firewalls that forget quiet ones. */
const TCP_KEEPALIVE_MS = 30_000;

export interface OpeningSocket {
  readonly socket: net.Socket;
  /** Rejects with a ConnectError, unavailable because of a RequestNotSentError, which also ends the socket. */
  readonly ready: Promise<void>;
}

/**
 * Opens a connection to an origin, through its TLS handshake.
 *
 * @throws ConnectError unavailable, because of a RequestNotSentError.
 */
export async function openSocket(origin: string, options: SocketOptions): Promise<net.Socket> {
  const { socket, ready } = startSocket(origin, options);
  await ready;
  return socket;
}

/** The same, with the socket at once. @throws ConnectError for an unusable certificate or key. */
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
      ...(net.isIP(host) === 0 && { servername: host }),
      minVersion: "TLSv1.2",
      ALPNProtocols: [alpn],
    });
  } catch (error) {
    throw notSent(origin, error);
  }
}

async function untilReady(socket: net.Socket, origin: string, options: SocketOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timeout = () => reject(new Error(`no connection within ${options.connectTimeoutMs} ms`));
  const timer = setTimeout(timeout, options.connectTimeoutMs);
  const closed = () => reject(new Error("the connection was closed"));
  const { signal } = options;
  signal?.addEventListener("abort", closed);
  if (signal?.aborted) closed();
  const isTls = socket instanceof tls.TLSSocket;
  socket
    .once(isTls ? "secureConnect" : "connect", resolve)
    .once("error", reject)
    .once("close", closed);
  try {
    await promise;
    // A server can refuse the client's certificate in the same breath (TLS 1.3).
    if (socket.errored || socket.destroyed) throw socket.errored ?? new Error("the connection was closed");
    if (isTls && options.alpn === "h2" && socket.alpnProtocol !== "h2") {
      throw new HttpVersionError("2");
    }
    socket.setNoDelay(true).setKeepAlive(true, TCP_KEEPALIVE_MS);
  } catch (error) {
    const failure = notSent(origin, explainAlert(error, options.alpn === "h2" ? "2" : "1.1"));
    socket.on("error", () => {});
    socket.destroy(failure);
    throw failure;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", closed);
    socket.off("error", reject).off("close", closed);
  }
}

/** Faults of a certificate or its check, and of a server that speaks no TLS: they do not pass by waiting. */
const TLS_FAULT =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|ERR_TLS_CERT|ERR_OSSL|ERR_SSL_|HOSTNAME_MISMATCH)/;

/** The error of a call that its server has not taken. */
export function notSent(origin: string, error: unknown): ConnectError {
  const fault = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  const { code = "", message = String(error) } = fault as NodeJS.ErrnoException;
  // Neither a certificate nor the HTTP of a proxy changes by waiting.
  const isTransient = !TLS_FAULT.test(code) && !(fault instanceof HttpVersionError);
  const cause = new RequestNotSentError(`${origin}: ${message}`, { cause: error, isTransient });
  return new ConnectError(cause.message, Code.Unavailable, undefined, undefined, cause);
}

/** The error of a call that a closed client was given. */
export function closedError(): ConnectError {
  const cause = new RequestNotSentError("the client is closed", { isTransient: false });
  return new ConnectError(cause.message, Code.Canceled, undefined, undefined, cause);
}

/** The same error of a call that was not sent, for one that does not wait for a connection. */
export function toFinal(error: unknown): ConnectError {
  const { rawMessage, code } = ConnectError.from(error);
  const cause = new RequestNotSentError(rawMessage, { cause: error, isTransient: false });
  return new ConnectError(rawMessage, code, undefined, undefined, cause);
}
