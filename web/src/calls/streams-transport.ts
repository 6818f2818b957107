import { createBrowserTransport } from "@rollcall/client";
import { BASE_URL } from "../base.ts";
import { authenticate } from "../session/authenticate.ts";
import { recordCalls } from "./call-record.ts";

export const transport = createBrowserTransport({
  baseUrl: BASE_URL,
  interceptors: [authenticate, recordCalls],
});
