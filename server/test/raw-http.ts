import { type Agent, request } from "node:http";
import net from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly trailers: Headers;
}

/**
 * An HTTP/1.1 request whose answer is left as it came: fetch would inflate it and
 * drop its trailers. On a connection of its own, unless an agent has another.
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

/** What comes back on a plaintext connection until it ends or falls silent for as long as `quietMs`. */
export async function exchange(
  port: number,
  bytes: string,
  quietMs = 400,
): Promise<{ answer: string; ended: boolean }> {
  const socket = net.connect(port, "127.0.0.1");
  let answer = "";
  let ended = false;
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  socket.on("close", () => {
    ended = true;
  });
  socket.on("error", () => {});
  socket.write(bytes);
  for (let seen = -1; !ended && seen !== answer.length; ) {
    seen = answer.length;
    await delay(quietMs);
  }
  socket.destroy();
  return { answer, ended };
}
