import { readFileSync } from "node:fs";

/** Messages of one server stream. There are so many that the cost of opening it does not matter. */
export const STREAM_MESSAGES = 10_000;

/** Environment variables that `pnpm bench` sets for each contestant. */
export interface Settings {
  readonly port: number;
  /** Whether the contestant does the same work as Rollcall: token, validation, log line, SQLite. */
  readonly sameWork: boolean;
  /** HTTP version of plaintext, for contestants that can't detect it. */
  readonly httpVersion: "1.1" | "2";
  /** A file that is created anew. */
  readonly databasePath: string;
  readonly authSecret: string;
  readonly logFile: string;
  /** Only for the limit of uploads: whether to compute the SHA-256 of the body. */
  readonly hashes: boolean;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

/** Reads the settings of this process. @throws Error when one is missing. */
export function readSettings(): Settings {
  const { env } = process;
  const required = (name: string): string => {
    const value = env[name];
    if (!value) throw new Error(`${name} is not set: contestants are started by pnpm bench`);
    return value;
  };
  const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } = env;
  return {
    port: Number(required("PORT")),
    sameWork: env.BENCH_SAME_WORK === "true",
    httpVersion: env.BENCH_HTTP === "1.1" ? "1.1" : "2",
    databasePath: required("BENCH_DATABASE"),
    authSecret: required("AUTH_SECRET"),
    logFile: required("BENCH_LOG_FILE"),
    hashes: env.BENCH_HASHES === "true",
    tls: cert && key ? { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") } : undefined,
  };
}
