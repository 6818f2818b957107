import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** How a connection is lost at its next COMMIT: before the server gets it, or after the server has answered. */
export type Cut = "before" | "after";

/** A proxy to a PostgreSQL server that cuts connections at their COMMIT. */
export interface CommitCutter extends AsyncDisposable {
  readonly port: number;
  /** Cuts the connection that commits next. */
  cut(how: Cut): void;
  /** Number of connections that were cut at a COMMIT. */
  readonly cuts: number;
  /** Whether new connections are refused after the next cut. */
  staysAway: boolean;
  /** Accepts new connections again. */
  comeBack(): void;
}

const COMMIT = Buffer.from("COMMIT\0");

/** Starts a proxy on a free port of loopback. */
export async function startCommitCutter(serverPort: number): Promise<CommitCutter> {
  let armed: Cut | undefined;
  let cuts = 0;
  let isAway = false;
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    if (isAway) return void client.destroy();
    const upstream = connect(serverPort, "127.0.0.1");
    let isCut = false;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end).on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on("data", (chunk: Buffer) => {
      if (armed === undefined || !chunk.includes(COMMIT)) return void upstream.write(chunk);
      isCut = true;
      cuts += 1;
      isAway = cutter.staysAway;
      if (armed === "after") upstream.write(chunk);
      else end();
      armed = undefined;
    });
    upstream.on("data", (chunk) => {
      // The server has answered, so it has committed.
      if (isCut) end();
      else client.write(chunk);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cutter: CommitCutter = {
    port: (server.address() as AddressInfo).port,
    cut(how) {
      armed = how;
    },
    get cuts() {
      return cuts;
    },
    staysAway: false,
    comeBack() {
      isAway = false;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  return cutter;
}
