import { BlockList, isIP } from "node:net";
import { Code } from "@connectrpc/connect";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { cameByProbePort } from "../port/probe-port.ts";
import { errorBody, replyNotFound } from "./reply-error.ts";

/** Callers that may read the metrics: those on this machine or on the port for probes, all, or none. */
export type MetricsReaders = "loopback" | "all" | "off";

export interface MetricsPageOptions {
  readers: MetricsReaders;
  /** Content type of the text. */
  type: string;
  /** Returns the present metrics. Rejects if they can't be collected in time. */
  read(): string | Promise<string>;
}

const UNAVAILABLE = errorBody(Code.Unavailable, "the metrics are not there in time: try again");

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Registers `/metrics`. For callers that may not read it, the page does not exist. */
export function registerMetrics(app: FastifyInstance, { readers, type, read }: MetricsPageOptions): void {
  if (readers === "off") return;
  app.get("/metrics", { config: { isHidden: true } }, async (request, reply) => {
    if (readers === "loopback" && !isLocal(request) && !cameByProbePort(request.raw))
      return replyNotFound(request, reply);
    reply.header("cache-control", "no-store");
    let text: string;
    try {
      text = await read();
    } catch (error) {
      request.log.error({ err: error }, "metrics can't be read");
      return reply.code(503).type("application/json").send(UNAVAILABLE);
    }
    return reply.type(type).send(text);
  });
}

/**
 * Returns whether a request comes from this machine and is meant for it. A proxy on this machine would add a header to
 * requests from elsewhere, or keep the host name that the caller used.
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
