import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalClientRequest, UniversalClientResponse } from "@connectrpc/connect/protocol";
import { findNotSent } from "../../internal/not-sent.ts";
import { Address } from "./address.ts";
import { toNodeHeaders, toWebHeaders } from "./headers.ts";
import type { HttpClient } from "./http-client.ts";
import { explainAlert, HttpVersionError } from "./http-version-error.ts";
import { closedError, notSent, startSocket, type TlsClientOptions, toFinal } from "./open-socket.ts";
import { Outage } from "./outage.ts";
import type { PoolSettings } from "./pool-options.ts";
import { ReplayableBody } from "./replayable-body.ts";
import { isLateRefusal, SpeaksTlsError } from "./tls-faults.ts";
import { writeBody } from "./write-body.ts";

/** Code of Node's error for an answer that does not begin like HTTP/1. */
const NOT_HTTP1 = "HPE_INVALID_CONSTANT";

/** Keep-alive connections to one address. */
interface Origin {
  readonly address: Address;
  readonly agent: http.Agent;
  /** For each connection, whether it could be opened. A request that failed before that was never sent. */
  readonly opening: WeakMap<Duplex, Promise<void>>;
  callCount: number;
}

/**
 * Sends requests over HTTP/1.1 to the address with the fewest calls, at most `settings.size` at once to each; more
 * wait. Skips an address that can't be reached for a while, and sends the request to the next. While none can be
 * reached, requests wait.
 */
export function createHttp1Client(
  origins: readonly string[],
  tls: TlsClientOptions,
  settings: PoolSettings,
): HttpClient {
  const all = origins.map((origin): Origin => {
    const opening = new WeakMap<Duplex, Promise<void>>();
    return { address: new Address(origin), agent: createAgent(origin, tls, settings, opening), opening, callCount: 0 };
  });
  let turn = 0;
  /** Set once the client is closed. */
  let closed: PromiseWithResolvers<void> | undefined;

  const inOrder = () => {
    turn = (turn + 1) % all.length;
    const rotated = [...all.slice(turn), ...all.slice(0, turn)];
    return rotated.sort(
      (a, b) => Number(a.address.isResting) - Number(b.address.isResting) || a.callCount - b.callCount,
    );
  };
  const ended = (origin: Origin) => {
    origin.callCount -= 1;
    if (all.every(({ callCount }) => callCount === 0)) closed?.resolve();
  };

  const outage = new Outage(
    all.map(({ address }) => address),
    settings,
  );

  /** Tries each address in turn. @throws the error of the last one. */
  const trySend = async (request: UniversalClientRequest, body: ReplayableBody | undefined) => {
    let failure: unknown;
    for (const origin of inOrder()) {
      if (closed) throw closedError();
      origin.callCount += 1;
      try {
        const response = await exchange(origin, request, body, {
          onConnect: () => outage.end(),
          beforeConnect: (reason) => outage.ended(reason),
          onEnd: () => ended(origin),
        });
        origin.address.answered();
        return response;
      } catch (reason) {
        if (request.signal?.aborted) throw reason;
        const error = await explain(origin.address, reason);
        if (!findNotSent(error) || body?.canReplay === false) throw error;
        origin.address.failed(error);
        failure = origin.address.refusesClient ? toFinal(error) : error;
      }
    }
    throw failure;
  };

  return {
    async send(request) {
      const body = request.body && new ReplayableBody(request.body);
      const call = { ...request, body };
      try {
        for (;;) {
          if (closed) throw closedError();
          if (outage.isOn && settings.waitTimeoutMs !== 0) await outage.wait(call);
          try {
            return await trySend(request, body);
          } catch (error) {
            if (body?.canReplay === false || request.signal?.aborted || !findNotSent(error)?.isTransient) throw error;
            if (settings.waitTimeoutMs === 0) throw toFinal(error);
            outage.begin(error);
          }
        }
      } catch (error) {
        body?.release();
        throw error;
      }
    },
    async close() {
      if (closed) return closed.promise;
      closed = Promise.withResolvers();
      outage.rejectAll(closedError());
      if (all.some(({ callCount }) => callCount > 0)) {
        const cut = setTimeout(closed.resolve, settings.closeTimeoutMs);
        await closed.promise;
        clearTimeout(cut);
      }
      for (const { agent } of all) agent.destroy();
      closed.resolve();
    },
  };
}

/**
 * Returns the error of a call. If a call over plaintext met a TLS server, the error says that it can't have been acted
 * on.
 */
async function explain(address: Address, error: unknown): Promise<unknown> {
  const isNotConnected = findNotSent(error) !== undefined;
  if (isNotConnected || !(await address.speaksTls())) return error;
  return notSent(address.origin, new SpeaksTlsError({ cause: error }));
}

/** Creates an agent whose connections have a connect timeout, and are noted in `opening`. */
function createAgent(
  origin: string,
  tls: TlsClientOptions,
  settings: PoolSettings,
  opening: WeakMap<Duplex, Promise<void>>,
): http.Agent {
  const { protocol } = new URL(origin);
  const agent = new (protocol === "https:" ? https : http).Agent({
    keepAlive: true,
    maxSockets: settings.size,
    timeout: settings.idleTimeoutMs,
  });
  agent.createConnection = () => {
    const { socket, ready } = startSocket(origin, { ...settings, tls, alpn: "http/1.1" });
    // The request that waits for the socket gets the error from it.
    ready.catch(() => {});
    opening.set(socket, ready);
    return socket;
  };
  return agent;
}

interface ExchangeHooks {
  onConnect(): void;
  /** Returns the error of a request that is aborted for this reason before it has a connection. */
  beforeConnect(reason: unknown): ConnectError;
  onEnd(): void;
}

function exchange(
  { address, agent, opening }: Origin,
  { url, method, header, signal }: UniversalClientRequest,
  body: ReplayableBody | undefined,
  { onConnect, beforeConnect, onEnd }: ExchangeHooks,
): Promise<UniversalClientResponse> {
  return new Promise((resolve, reject) => {
    const { origin } = address;
    const { pathname, search } = new URL(url);
    const target = new URL(pathname + search, origin);
    const send = target.protocol === "https:" ? https.request : http.request;
    const request = send(target, { method, headers: toNodeHeaders(header), agent });
    let isConnected = false;
    let failure: ConnectError | undefined;
    const cancel = (error: ConnectError) => {
      failure ??= error;
      request.destroy();
    };
    const abort = () => {
      const { reason } = signal ?? {};
      cancel(isConnected ? ConnectError.from(reason, Code.Canceled) : beforeConnect(reason));
    };
    const done = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    let hasResponded = false;
    /** Opening of the connection. Its error says best why there is none. */
    let opened: Promise<void> | undefined;
    const settle = (error: ConnectError) => {
      failure ??= error;
      reject(failure);
    };
    const fail = (toError: () => ConnectError) => {
      if (failure || isConnected || !opened) settle(failure ?? toError());
      else opened.then(toError, (reason: unknown) => ConnectError.from(reason)).then(settle);
    };
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (findNotSent(error)) failure ??= ConnectError.from(error);
      if (error.code === NOT_HTTP1) failure ??= otherHttp(origin, error);
      const isRefused = isLateRefusal(error) && !request.reusedSocket && !hasResponded;
      fail(() => (isConnected && !isRefused ? lost(address) : notSent(origin, explainAlert(error, "1.1"))));
    });
    request.on("response", (response) => {
      hasResponded = true;
      resolve({
        status: response.statusCode ?? 0,
        header: toWebHeaders(response.headers),
        body: readBody(response, () => failure ?? lost(address), done),
        trailer: new Headers(),
      });
    });
    request.once("close", () => {
      done();
      onEnd();
      if (hasResponded) body?.release();
      else fail(() => lost(address));
    });
    const connected = () => {
      isConnected = true;
      address.connected();
      onConnect();
      if (!body || request.destroyed) return;
      // Send a stream's header ahead of its first message. A unary call's header leaves together with its body.
      setImmediate(() => request.headersSent || request.destroyed || request.flushHeaders());
      writeBody(body, request).catch((error: unknown) => cancel(ConnectError.from(error)));
    };
    // Read nothing of the body before it can leave, since the next address needs all of it.
    request.once("socket", (socket) => {
      opened = opening.get(socket);
      opened?.then(connected, () => {});
    });
    if (!body) request.end();
  });
}

async function* readBody(
  response: http.IncomingMessage,
  currentFailure: () => ConnectError,
  done: () => void,
): AsyncIterable<Uint8Array> {
  try {
    yield* response.iterator({ destroyOnReturn: false });
  } catch {
    throw currentFailure();
  }
  done();
}

function otherHttp(origin: string, error: Error): ConnectError {
  const cause = new HttpVersionError("1.1", { cause: error });
  return new ConnectError(`${origin}: ${cause.message}`, Code.Unavailable, undefined, undefined, cause);
}

function lost(address: Address): ConnectError {
  const loss = address.lost(false);
  return new ConnectError(loss.message, Code.Unavailable, undefined, undefined, loss);
}
