import net from "node:net";
import { until } from "@rollcall/testing/start-server";

/** Opens a plaintext connection, writes the bytes to it, and collects the received bytes. */
export function connectWith(port: number, bytes: string) {
  const socket = net.connect(port, "127.0.0.1");
  const state = { answer: "", ended: false };
  socket.on("data", (chunk) => {
    state.answer += chunk.toString("latin1");
  });
  socket.on("close", () => {
    state.ended = true;
  });
  socket.on("error", () => {});
  socket.write(bytes);
  return Object.assign(state, { socket, [Symbol.dispose]: () => void socket.destroy() });
}

/** Returns the header of the first answer, or the part of it that arrived before the server ended the connection. */
export async function answerTo(port: number, bytes: string): Promise<string> {
  using connection = connectWith(port, bytes);
  await until(() => connection.ended || connection.answer.includes("\r\n\r\n"));
  return connection.answer;
}
