import http2, { type ClientHttp2Stream, type OutgoingHttpHeaders } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalClientRequest, UniversalClientResponse } from "@connectrpc/connect/protocol";
import { findNotSent } from "../../internal/not-sent.ts";
import { toNodeHeaders, toWebHeaders } from "./headers.ts";
import type { HttpClient } from "./http-client.ts";
import type { Http2Connection, OpenStream } from "./http2-connection.ts";
import { Http2Pool } from "./http2-pool.ts";
import { notSent, type TlsClientOptions } from "./open-socket.ts";
import type { PoolSettings } from "./pool-options.ts";
import { ReplayableBody } from "./replayable-body.ts";
import { writeBody } from "./write-body.ts";

/**
 * How often a request that was certainly not processed goes to another connection at once. After that its caller
 * decides.
 */
const MAX_REPLAYS = 2;

/**
 * Sends requests over the pool's connections. A request that a server has certainly not acted on (RFC 9113, 8.7:
 * refused stream, GOAWAY, a connection that had ended) is sent again over another connection, unnoticed by its caller.
 */
export function createHttp2Client(
  origins: readonly string[],
  tls: TlsClientOptions,
  settings: PoolSettings,
): HttpClient {
  const pool = new Http2Pool({ origins, tls, settings });
  return {
    async send(request) {
      const body = request.body && new ReplayableBody(request.body);
      try {
        return await sendUntilTaken(pool, request, body);
      } catch (error) {
        body?.release();
        throw error;
      }
    },
    close: () => pool.close(),
  };
}

async function sendUntilTaken(
  pool: Http2Pool,
  request: UniversalClientRequest,
  body: ReplayableBody | undefined,
): Promise<UniversalClientResponse> {
  for (let replays = 0; ; replays++) {
    const connection = await pool.acquire({ ...request, body });
    try {
      return await exchange(connection, request, body);
    } catch (error) {
      // A server that refuses one stream and still accepts others is asked only once more, since it may be busy.
      const maxReplays = connection.takesStreams ? 1 : MAX_REPLAYS;
      const canReplay = replays < maxReplays && body?.canReplay !== false && !request.signal?.aborted;
      if (!canReplay || !findNotSent(error)) throw error;
    }
  }
}

/** Resolves with the response's header. The body follows as it is read. */
function exchange(
  connection: Http2Connection,
  { url, method, header, signal }: UniversalClientRequest,
  body: ReplayableBody | undefined,
): Promise<UniversalClientResponse> {
  return new Promise((resolve, reject) => {
    const { pathname, search } = new URL(url);
    const headers: OutgoingHttpHeaders = { ...toNodeHeaders(header), ":method": method, ":path": pathname + search };
    // Node.js leaves out the brackets of an IPv6 address. A Host that the caller has set is used alone.
    if (headers.host === undefined) headers[":authority"] = connection.address.authority;
    // Abort rather than `stream.close`, which first ends the request as if it were complete.
    const reset = new AbortController();
    let opened: OpenStream;
    try {
      opened = connection.openStream(headers, { endStream: body === undefined, signal: reset.signal });
    } catch (error) {
      return reject(notSent(connection.address.origin, error));
    }
    const { stream, release } = opened;
    /** Error that ended the exchange. */
    let failure: ConnectError | undefined;
    const cancel = (error: ConnectError) => {
      failure ??= error;
      reset.abort();
    };
    const abort = () => cancel(ConnectError.from(signal?.reason, Code.Canceled));
    const done = () => {
      signal?.removeEventListener("abort", abort);
      release();
    };
    const currentFailure = () => failure ?? faultOf(connection, stream);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();

    const trailer = new Headers();
    let hasResponded = false;
    stream.on("response", (responseHeaders) => {
      hasResponded = true;
      connection.answered();
      const status = responseHeaders[":status"] ?? 0;
      const responseBody = readBody(connection, stream, currentFailure, done);
      resolve({ status, header: toWebHeaders(responseHeaders), body: responseBody, trailer });
    });
    stream.on("trailers", (trailers) => toWebHeaders(trailers, trailer));
    // The stream's end reports what went wrong.
    stream.on("error", () => {});
    stream.once("close", () => {
      // Read the fault now: once the connection ends, it would mask the stream's own reset code.
      failure ??= faultOf(connection, stream);
      // The server asks for less load from this connection (RFC 9113, 7).
      if (stream.rstCode === http2.constants.NGHTTP2_ENHANCE_YOUR_CALM) connection.retire();
      done();
      if (hasResponded) body?.release();
      else reject(failure ?? new ConnectError("the server sent no response", Code.Internal));
    });
    if (body) writeBody(body, stream).catch((error: unknown) => cancel(ConnectError.from(error)));
  });
}

async function* readBody(
  connection: Http2Connection,
  stream: ClientHttp2Stream,
  currentFailure: () => ConnectError | undefined,
  done: () => void,
): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      connection.heard();
      yield chunk;
    }
  } catch (error) {
    throw currentFailure() ?? ConnectError.from(error);
  }
  const failure = currentFailure();
  if (failure) throw failure;
  // A complete request has nothing left to cancel; one that is still being sent has.
  if (stream.writableEnded) done();
}

/** Returns the error that a stream has ended with, if it has: from the connection, or from the server's RST_STREAM. */
function faultOf(connection: Http2Connection, stream: ClientHttp2Stream): ConnectError | undefined {
  const { rstCode } = stream;
  const { origin } = connection.address;
  const isRefused = stream.id === undefined || connection.isRefusedByGoaway(stream.id);
  if (!stream.closed && !stream.destroyed) return undefined;
  if (isRefused || rstCode === http2.constants.NGHTTP2_REFUSED_STREAM) {
    return notSent(origin, new Error("the server refused the stream"));
  }
  if (rstCode === undefined || rstCode === http2.constants.NGHTTP2_NO_ERROR) return undefined;
  if (connection.isLost) {
    const loss = connection.address.lost(true);
    return new ConnectError(loss.message, Code.Unavailable, undefined, undefined, loss);
  }
  const code = codeByReset.get(rstCode) ?? Code.Internal;
  return new ConnectError(`the server reset the stream (HTTP/2 error ${rstCode})`, code);
}

/** Codes of streams that were reset, by their HTTP/2 error, as gRPC maps them. All others are internal. */
const codeByReset: ReadonlyMap<number, Code> = new Map([
  [http2.constants.NGHTTP2_CANCEL, Code.Canceled],
  [http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, Code.ResourceExhausted],
  [http2.constants.NGHTTP2_INADEQUATE_SECURITY, Code.PermissionDenied],
]);
