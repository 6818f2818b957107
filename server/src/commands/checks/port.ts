import { once } from "node:events";
import net from "node:net";
import type { Config } from "../../config.ts";
import { ListenError } from "../../transport/port/listen-error.ts";
import { askReadiness } from "../healthcheck.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Checks whether the port is free, or what answers on it. */
export async function checkPort(config: Config, signal: AbortSignal): Promise<Finding[]> {
  const { host, port } = config;
  const server = net.createServer();
  try {
    server.listen({ host: host === "localhost" ? "127.0.0.1" : host, port, exclusive: true });
    await once(server, "listening");
    return [ok(`port: ${port} is free on ${host}`)];
  } catch (error) {
    const { code, message } = new ListenError(host, port, error);
    const answer = code === "EADDRINUSE" ? await askReadiness(config, signal).catch(() => undefined) : undefined;
    if (answer?.status === 200) return [ok(`port: a server is ready on ${port}`)];
    if (answer?.body.includes('"reason"')) return [warn(`port: a server on ${port} is not ready: ${answer.body}`)];
    return [fail(`port: ${message}`)];
  } finally {
    server.close();
  }
}
