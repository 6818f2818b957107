import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { ListenError } from "../transport/port/listen-error.ts";

/**
 * Returns the port that workers will share: the one that is asked for, or a free one for 0.
 *
 * Workers share it by SO_REUSEPORT, with which a second server of the same user could take half of its connections and
 * nobody would notice. So somebody has to look whether the port is free.
 *
 * @throws ListenError if it is not.
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
