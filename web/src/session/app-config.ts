import type { SignInOptions } from "@rollcall/shared/sign-in-options";
import { BASE_URL } from "../base.ts";

/** Longest wait for the answer, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Facts about its server that the page needs. */
export interface AppConfig {
  readonly signIn: SignInOptions;
  /** Whether the server shows its reference to everybody, at `/docs`. */
  readonly docs: boolean;
  /** Difference by which this device's clock is ahead of the server's, in milliseconds. */
  readonly aheadMs: number;
}

let loading: Promise<AppConfig> | undefined;

/** Asks the server, once, for the facts that the page needs. @throws Error if it can't be reached. */
export function loadAppConfig(): Promise<AppConfig> {
  loading ??= fetchAppConfig().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function fetchAppConfig(): Promise<AppConfig> {
  const response = await fetch(`${BASE_URL}/app-config.json`, {
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the answer has status ${response.status}`);
  const nowMs = Date.parse(response.headers.get("date") ?? "");
  const { signIn, docs } = (await response.json()) as Omit<AppConfig, "aheadMs">;
  return { signIn, docs, aheadMs: Number.isNaN(nowMs) ? 0 : Date.now() - nowMs };
}
