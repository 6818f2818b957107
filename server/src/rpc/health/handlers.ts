import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "@rollcall/gen/grpc/health/v1/health";
import { MAX_LISTED_SERVICES } from "../../limits.ts";
import type { Readiness } from "../../service/readiness.ts";
import type { OpenStreams } from "../open-streams.ts";

/** Service name that stands for the whole server. */
const WHOLE_SERVER = "";

export interface HealthOptions {
  readiness: Readiness;
  openStreams: OpenStreams;
  /** Returns the names of all services. */
  serviceNames(): readonly string[];
  /** Returns whether a service needs the database. */
  needsDatabase(serviceName: string): boolean;
}

/**
 * Implements grpc.health.v1.Health. While the database is unavailable, a service that does not need it is serving; the
 * whole server is not.
 */
export function healthHandlers(options: HealthOptions): ServiceImpl<typeof Health> {
  const { readiness, openStreams, serviceNames } = options;
  const isKnown = (service: string) => service === WHOLE_SERVER || serviceNames().includes(service);
  const needsDatabase = (service: string) => service === WHOLE_SERVER || options.needsDatabase(service);
  const statusOf = (service: string) => {
    if (!isKnown(service)) return Status.SERVICE_UNKNOWN;
    const isWell = needsDatabase(service) ? readiness.problem === undefined : !readiness.isDraining;
    return isWell ? Status.SERVING : Status.NOT_SERVING;
  };
  return {
    async check({ service }) {
      if (!isKnown(service)) throw new ConnectError("unknown service", Code.NotFound);
      if (needsDatabase(service)) await readiness.check();
      return { status: statusOf(service) };
    },
    async list() {
      const services = [WHOLE_SERVER, ...serviceNames()];
      if (services.length > MAX_LISTED_SERVICES) {
        throw new ConnectError(`more than ${MAX_LISTED_SERVICES} services`, Code.ResourceExhausted);
      }
      await readiness.check();
      return { statuses: Object.fromEntries(services.map((service) => [service, { status: statusOf(service) }])) };
    },
    async *watch({ service }, context) {
      const stream = openStreams.open(context);
      try {
        if (needsDatabase(service)) await readiness.check();
        let sent: Status | undefined;
        for (;;) {
          const status = statusOf(service);
          if (status !== sent) {
            sent = status;
            yield { status };
            // The status may have changed while the client read.
            continue;
          }
          // The last status is sent before the stream ends.
          stream.signal.throwIfAborted();
          await readiness.changed(stream.signal);
        }
      } finally {
        stream.close();
      }
    },
  };
}
