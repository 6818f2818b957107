import { BlockList, isIP } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { cameByProbePort } from "../port/probe-port.ts";
import { replyNotFound } from "./reply-error.ts";

/** Callers that may read the metrics: those on this machine and of the port for probes, all, or none. */
export type MetricsReaders = "loopback" | "all" | "off";

export interface MetricsPageOptions {
  readers: MetricsReaders;
  /** Content type of the text. */
  type: string;
  /** Returns the metrics as they are now. */
  read(): string;
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Registers `/metrics`. To callers that may not read them, there is no such page. */
export function registerMetrics(app: FastifyInstance, { readers, type, read }: MetricsPageOptions): void {
  if (readers === "off") return;
  app.get("/metrics", (request, reply) => {
    if (readers === "loopback" && !isLocal(request) && !cameByProbePort(request.raw))
      return replyNotFound(request, reply);
    return reply.type(type).header("cache-control", "no-store").send(read());
  });
}

/**
 * Returns whether a request comes from this machine and is meant for it. A proxy on this machine that passes on what
 * comes from elsewhere adds a header, or keeps the name that the caller used.
 */
function isLocal({ socket, headers, host }: FastifyRequest): boolean {
  if (["forwarded", "x-forwarded-for", "via"].some((name) => headers[name] !== undefined)) return false;
  const name = host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1");
  return isLoopback(socket.remoteAddress ?? "") && (name.toLowerCase() === "localhost" || isLoopback(name));
}

function isLoopback(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && loopback.check(address, version === 6 ? "ipv6" : "ipv4");
}
