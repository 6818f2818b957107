import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";

/** Connects over HTTP/2. */
export function openSession(url: string, ca?: string): ClientHttp2Session {
  return http2.connect(url, { ...(ca !== undefined && { ca }), settings: { enablePush: false } });
}

/** Opens a call, and sends its header. */
export function openCall(session: ClientHttp2Session, path: string, token: string): ClientHttp2Stream {
  return session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${token}`,
  });
}

/**
 * Makes a unary call, as cheaply as node:http2 can.
 *
 * @param body In its envelope.
 * @returns The message of the answer, without its envelope.
 * @throws Error when the call does not end with status 0.
 */
export function callUnary(session: ClientHttp2Session, path: string, token: string, body: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = openCall(session, path, token);
    const chunks: Buffer[] = [];
    let status: unknown;
    let message: unknown;
    const readStatus = (headers: Record<string, unknown>) => {
      status ??= headers["grpc-status"];
      message ??= headers["grpc-message"];
    };
    stream.on("response", readStatus);
    stream.on("trailers", readStatus);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      if (status === "0") resolve(Buffer.concat(chunks).subarray(5));
      else reject(new Error(`${path} ends with grpc-status ${status}: ${message ?? "without a message"}`));
    });
    stream.end(body);
  });
}
