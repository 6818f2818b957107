import http from "node:http";
import https from "node:https";
import { type Config, parseConfig } from "../config.ts";
import type { CommandIo } from "./io.ts";

/** Time for the whole answer: less than an orchestrator gives its check. */
const TIMEOUT_MS = 4_000;
/** Largest answer that is read; the real one has some 60 bytes. */
const MAX_ANSWER_BYTES = 4_096;

/** The server is not ready, or does not answer. The message says why. */
export class HealthError extends Error {
  override name = "HealthError";
}

/** Asks the server that has these settings, on this machine, whether it is ready. @throws ConfigError | HealthError */
export async function healthcheck(io: CommandIo): Promise<void> {
  const { status, body } = await askReadiness(parseConfig(io.env, io, io.namesInFile), io.signal);
  if (status !== 200) throw new HealthError(`not ready: ${body}`);
  io.stdout.write(`${body}\n`);
}

/**
 * Resolves with the answer of `/readyz`, from the port for probes if there is one.
 *
 * @throws HealthError when there is none.
 */
export function askReadiness(
  { host, port: mainPort, probePort, tls: mainTls }: Pick<Config, "host" | "port" | "probePort" | "tls">,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  const port = probePort ?? mainPort;
  const tls = probePort === undefined ? mainTls : undefined;
  return new Promise((resolve, reject) => {
    const options: https.RequestOptions = {
      host: localAddress(host),
      port,
      path: "/readyz",
      headers: { host: "localhost" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      // The name in the certificate is not the one that is called here. Nothing secret is sent, so it is not checked.
      rejectUnauthorized: false,
      agent: false,
    };
    const request = tls ? https.get(options) : http.get(options);
    request.on("error", (error: NodeJS.ErrnoException) => {
      reject(new HealthError(`no answer on port ${port}: ${reasonOf(error, tls !== undefined)}`));
    });
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
        if (body.length > MAX_ANSWER_BYTES) request.destroy(new Error("the answer is too long"));
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
  });
}

function reasonOf({ code = "", name, message }: NodeJS.ErrnoException, isTls: boolean): string {
  if (name === "TimeoutError" || code === "ABORT_ERR") return `none within ${TIMEOUT_MS} ms`;
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (isTls && /ALERT|ECONNRESET|EPIPE/.test(code))
    return "the server refused the handshake; it may ask for a client certificate: set PROBE_PORT";
  return code || message;
}

/** Returns the address at which this machine reaches a server that listens on `host`. */
export function localAddress(host: string): string {
  if (host === "::") return "::1";
  return host === "0.0.0.0" || host === "localhost" ? "127.0.0.1" : host;
}
