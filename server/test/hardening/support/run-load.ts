import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { programFile } from "@rollcall/testing/programs";
import type { LoadReport } from "./load-generator-main.ts";

const file = (name: string) => join(import.meta.dirname, name);

export interface LoadOptions {
  /** Whether the limits on calls are lifted. */
  isLifted?: boolean;
  /** Load, as a multiple of the highest rate at which the server answers. */
  multiple: number;
  secondsPerPhase: number;
  deadlineMs: number;
}

/**
 * Loads a server, and reports the results that its callers saw. The server and the callers have their own processes.
 */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const server = fork(
    programFile("server/test/hardening/support/load-server-main.ts"),
    options.isLifted ? ["lifted"] : [],
  );
  try {
    const [{ url, token }] = (await once(server, "message")) as [{ url: string; token: string }];
    const created = await fetch(`${url}/user.v1.UserService/CreateUser`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ email: "load@example.com", name: "Load" }),
    });
    const { user } = (await created.json()) as { user: { id: string } };
    const { multiple, secondsPerPhase, deadlineMs } = options;
    const numbers = [multiple, secondsPerPhase, deadlineMs].map(String);
    const generator = fork(file("load-generator-main.ts"), [url, token, user.id, ...numbers]);
    const [report] = (await once(generator, "message")) as [LoadReport];
    return report;
  } finally {
    server.kill("SIGKILL");
  }
}
