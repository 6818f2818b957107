import { createBrowserTransport } from "@rollcall/client";
import { authenticate } from "../session/authenticate.ts";
import { recordCalls } from "./call-record.ts";

export const transport = createBrowserTransport({
  baseUrl: location.origin,
  interceptors: [authenticate, recordCalls],
});
