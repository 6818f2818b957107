import type { Socket } from "node:net";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { createRollcall } from "../../src/node/index.ts";

export interface IdleOptions {
  /** Time without a byte after which the proxy cuts a connection, in milliseconds. */
  cutAfterMs: number;
  /** Time after which a quiet watcher gets `progress`, in milliseconds; undefined for the server's default. */
  progressIntervalMs: number | undefined;
  /** Time without a change, in milliseconds. */
  idleMs: number;
  /** Returns whether the idle time was long enough; otherwise it is extended. Default: it always was. */
  isEnough?: (report: Readonly<IdleReport>) => boolean;
}

export interface IdleReport {
  /** Number of connections that the proxy cut, and of streams that were lost. */
  cuts: number;
  lost: number;
  /** Number of `progress` events of the watcher with the fewest. */
  progress: number;
  /** Number of watchers that saw the final change. */
  seen: number;
}

/**
 * Number of checks in a row by the proxy that find a connection silent before it is cut. If this process, which
 * includes server and clients, did not run for some time, that counts as one check, however long it was.
 */
const LOOKS = 10;

const PROTOCOLS = ["grpc", "grpc-web", "connect"] as const;
export const IDLE_WATCHERS = PROTOCOLS.length;

/** Lets a watcher of each protocol wait behind a proxy that cuts silent connections, until one change comes. */
export async function watchIdle(options: IdleOptions): Promise<IdleReport> {
  const { cutAfterMs, progressIntervalMs, idleMs, isEnough = () => true } = options;
  const report: IdleReport = { cuts: 0, lost: 0, progress: 0, seen: 0 };
  const timers = new Map<Socket, NodeJS.Timeout>();
  const heard = (bytes: Buffer, socket: Socket) => {
    if (!timers.has(socket)) socket.once("close", () => clearInterval(timers.get(socket)));
    clearInterval(timers.get(socket));
    let looks = 0;
    const look = () => {
      looks += 1;
      if (looks < LOOKS) return;
      clearInterval(timers.get(socket));
      report.cuts += 1;
      socket.resetAndDestroy();
    };
    timers.set(socket, setInterval(look, cutAfterMs / LOOKS));
    return bytes;
  };
  // Only silence may end a stream. By default, a server ends one after an hour.
  const maxTimeoutMs = idleMs + 3_600_000;
  const changes = progressIntervalMs === undefined ? {} : { progressIntervalMs };
  await using server = await startServer({ maxTimeoutMs, changes });
  await using proxy = await startTcpProxy(server.port, { onRequestBytes: heard, onResponseBytes: heard });
  // A stream ends when its token expires.
  const token = await server.token({ ttlSeconds: Math.ceil(idleMs / 1_000) + 3_600 });
  await using writing = createRollcall({ baseUrl: server.url, token });
  const signs: number[] = PROTOCOLS.map(() => 0);
  const watch = async (protocol: (typeof PROTOCOLS)[number], index: number, synced: () => void) => {
    await using client = createRollcall({ baseUrl: proxy.url, token, protocol });
    const onRetry = () => {
      report.lost += 1;
    };
    for await (const event of client.users.watch({}, { onRetry, retry: { initialDelayMs: 1 } })) {
      if (event.type === "synced") synced();
      if (event.type === "progress") {
        signs[index] = (signs[index] ?? 0) + 1;
        report.progress = Math.min(...signs);
      }
      if (event.type !== "created") continue;
      report.seen += 1;
      return;
    }
  };
  const began = PROTOCOLS.map(() => Promise.withResolvers<void>());
  const watches = PROTOCOLS.map((protocol, index) => watch(protocol, index, () => began[index]?.resolve()));
  await Promise.all(began.map(({ promise }) => promise));
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  await until(() => isEnough(report));
  const { cuts, lost } = report;
  await writing.users.create({ name: "Late", email: "late@example.com" });
  await Promise.all(watches);
  for (const timer of timers.values()) clearInterval(timer);
  return { ...report, cuts, lost };
}
