import type { Config } from "../../config.ts";
import { ListenError } from "../../transport/port/listen-error.ts";
import { reservePort } from "../../workers/reserve-port.ts";
import { askReadiness } from "../healthcheck.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Checks whether the port is free or, if it is not, which server answers on it. */
export async function checkPort(config: Config, signal: AbortSignal): Promise<Finding[]> {
  const { host, port } = config;
  try {
    await reservePort(host, port);
    return [ok(`port: ${port} is free on ${host}`)];
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    const answer = error.code === "EADDRINUSE" ? await askReadiness(config, signal).catch(() => undefined) : undefined;
    if (answer?.status === 200) return [ok(`port: a server is ready on ${port}`)];
    if (answer?.body.includes('"reason"')) return [warn(`port: a server on ${port} is not ready: ${answer.body}`)];
    return [fail(`port: ${error.message}`)];
  }
}
