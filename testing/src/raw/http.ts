import { type Agent, request } from "node:http";
import net from "node:net";
import { buffer } from "node:stream/consumers";

export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly trailers: Headers;
}

/**
 * Makes an HTTP/1.1 request and leaves the answer as it is: fetch would inflate it and drop its trailers. The request
 * has its own connection, unless an agent has another.
 */
export function rawRequest(
  method: "GET" | "POST",
  url: string,
  headers: Record<string, string>,
  body: string | Uint8Array = "",
  agent: Agent | false = false,
): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent }, async (incoming) => {
      resolve({
        status: incoming.statusCode ?? 0,
        headers: new Headers(incoming.headers as Record<string, string>),
        body: await buffer(incoming),
        trailers: new Headers(incoming.trailers as Record<string, string>),
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Sends bytes on a plaintext connection. Resolves with everything that comes back until the server closes it. */
export function exchangeToEnd(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
    socket.write(bytes, "latin1");
  });
}
