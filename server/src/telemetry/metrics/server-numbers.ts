import type { ConnectionNumbers, Numbers, ServerNumbers } from "./server-metrics.ts";

/** Parts of a server that keep numbers about it. */
export interface NumberSources {
  /** Calls in flight. */
  readonly admission: { readonly calls: number; readonly streams: number };
  /** Returns the number of open connections; an open WebSocket counts as one over HTTP/1.1. */
  connections(): { readonly http1: number; readonly http2: number; readonly undecided: number };
  webSockets(): number;
  readonly refusals: { entries(): Numbers };
  feedLagMs(): number;
  /** Figures of the database; those that it does not have are left out. */
  readonly database: (Pick<Partial<ServerNumbers>, "commitSizes"> & DatabaseNumbers) | undefined;
}

interface DatabaseNumbers {
  readonly system: string;
  readonly connections?: () => ConnectionNumbers;
}

/** Reads a server's numbers from the parts that keep them. */
export function readServerNumbers(sources: NumberSources): ServerNumbers {
  const { admission, connections, webSockets, refusals, feedLagMs, database } = sources;
  const { system, connections: read } = database ?? {};
  return {
    openCalls: () => Object.entries({ unary: admission.calls, stream: admission.streams }),
    connections() {
      const { http1, http2, undecided } = connections();
      const websocket = webSockets();
      return Object.entries({ "http/1.1": http1 - websocket, "http/2": http2, websocket, undecided });
    },
    refusals: () => refusals.entries(),
    feedLag: () => feedLagMs() / 1_000,
    commitSizes: database?.commitSizes,
    pool: system !== undefined && read ? { system, read } : undefined,
  };
}
