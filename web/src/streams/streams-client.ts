import { createClient } from "@connectrpc/connect";
import { createBrowserTransport } from "@rollcall/client";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { authenticate } from "../session/authenticate.ts";
import { recordCalls } from "./call-record.ts";

/** Streams of all kinds, to where this page came from; their calls can be recorded. */
export const streams = createClient(
  StreamService,
  createBrowserTransport({ baseUrl: location.origin, interceptors: [authenticate, recordCalls] }),
);
