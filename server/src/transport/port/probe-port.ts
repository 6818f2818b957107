import type { IncomingMessage, RequestListener } from "node:http";
import { Code } from "@connectrpc/connect";
import { HEALTH_SERVICE } from "../../rpc/health/is-health-check.ts";
import { pathOf } from "../admission/target.ts";
import { asksByGrpc, endUnimplemented, errorBody } from "../fastify/reply-error.ts";
import { createOnePort, type OnePort, type OnePortOptions } from "./one-port.ts";
import { dropRestWhenAnswered } from "./unread-rest.ts";

const PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);
const REFUSAL = "only probes, health checks and metrics are served on this port";

const requests = new WeakSet<IncomingMessage>();

/** Returns whether a request came by a port for probes. */
export function cameByProbePort(request: IncomingMessage): boolean {
  return requests.has(request);
}

/**
 * Creates a plaintext port for probes, health checks and metrics alone. They are answered as on the main port, whose
 * handlers the options are: an orchestrator reaches them without the certificate that the main port may ask for.
 *
 * @param bodyTimeoutMs Time for the rest of a refused request, in milliseconds.
 */
export function createProbePort(
  handler: RequestListener,
  { bodyTimeoutMs, ...options }: Omit<OnePortOptions, "tls"> & { bodyTimeoutMs: number },
): OnePort {
  const { takeStream, takeRequest } = options;
  const listener: RequestListener = (request, response) => {
    if (isProbe(request.url)) {
      requests.add(request);
      return handler(request, response);
    }
    dropRestWhenAnswered(request, response, bodyTimeoutMs);
    if (asksByGrpc(request.headers)) return endUnimplemented(request.headers, response, REFUSAL);
    response.writeHead(404, { "content-type": "application/json" }).end(errorBody(Code.Unimplemented, REFUSAL));
  };
  return createOnePort(listener, {
    ...options,
    takeStream: (stream, headers, rawHeaders) => isProbe(headers[":path"]) && takeStream(stream, headers, rawHeaders),
    takeRequest: (request, response) => isProbe(request.url) && takeRequest(request, response),
  });
}

function isProbe(target = ""): boolean {
  const path = pathOf(target);
  return PATHS.has(path) || path.startsWith(`/${HEALTH_SERVICE}/`);
}
