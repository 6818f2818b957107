import { once } from "node:events";
import net from "node:net";

/**
 * Ports below those that systems give out by themselves: Linux begins with 32768, others with 49152. So nobody gets one
 * between its check and its use, not even a client that connects to it again and again, whose own port may be any of those.
 */
const FIRST = 20_000;
const BEHIND_LAST = 32_768;

/** Returns a port on which nothing listens, for a server that will use it, or never will. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (BEHIND_LAST - FIRST));
    const server = net.createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== "EADDRINUSE") throw error;
        return false;
      },
    );
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
