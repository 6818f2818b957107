import net from "node:net";
import tls from "node:tls";
import { isFromTlsServer } from "./tls-faults.ts";

/** Time for a server to answer a handshake, in milliseconds. */
const ANSWER_TIMEOUT_MS = 2_000;

/** Resolves with whether the server of a plaintext address speaks TLS. Starts a handshake and sends nothing else. */
export function speaksTls(origin: string): Promise<boolean> {
  const { hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, "");
  const isName = net.isIP(host) === 0;
  const socket = tls.connect({ host, port: Number(port || 80), ...(isName && { servername: host }) });
  return new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), ANSWER_TIMEOUT_MS);
    socket
      .once("secureConnect", () => resolve(true))
      .on("error", (error) => resolve(isFromTlsServer(error)))
      .once("close", () => {
        clearTimeout(timer);
        resolve(false);
      });
  }).finally(() => socket.destroy());
}
