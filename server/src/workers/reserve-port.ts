import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { ListenError } from "../transport/port/listen-error.ts";

/**
 * Returns the port that workers will share: the requested one or, for 0, a free one.
 *
 * Workers share it by SO_REUSEPORT. With that option, a second server of the same user could silently take half of the
 * connections, so the port must be checked first.
 *
 * @throws ListenError if it is not free.
 */
export async function reservePort(host: string, port: number): Promise<number> {
  const server = net.createServer();
  try {
    server.listen({ host: host === "localhost" ? "127.0.0.1" : host, port, exclusive: true });
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  } catch (error) {
    throw new ListenError(host, port, error);
  } finally {
    server.close();
  }
}
