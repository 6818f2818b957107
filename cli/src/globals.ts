import { MAX_TIMEOUT_MS, TOKEN_FAULT, toBearerToken } from "@rollcall/client";
import { createRollcall, type NodeRollcall, type NodeRollcallOptions } from "@rollcall/client/node";
import { parseDuration } from "@rollcall/shared/units";
import { type Command, InvalidArgumentError, Option } from "commander";
import { InterruptedError, UsageError } from "./exit.ts";
import { explainHttp } from "./http-hint.ts";
import type { Io } from "./io.ts";

/**
 * Time to wait for a server that may just be restarting, in milliseconds. After that a person wants to know that it
 * can't be reached.
 */
const WAIT_FOR_SERVER_MS = 500;

const DEFAULT_ADDRESS = "http://localhost:8080";

/** Options that every command has. */
export interface Globals {
  address: string;
  token?: string;
  ca?: string;
  cert?: string;
  key?: string;
  /** Version of HTTP. Default "2". */
  http?: "1.1" | "2";
  /** Default "grpc", and "connect" over HTTP/1.1. */
  protocol?: "grpc" | "grpc-web" | "connect";
  timeout?: number;
  json?: boolean;
}

export function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option("--address <url>", "the server's URL, or several with commas between them")
        .env("ROLLCALL_ADDRESS")
        .default(DEFAULT_ADDRESS),
    )
    .addOption(new Option("--token <token>", "bearer token").env("ROLLCALL_TOKEN"))
    .addOption(new Option("--ca <file>", "trust this authority (PEM) for TLS, and no other").env("ROLLCALL_CA"))
    .option("--cert <file>", "the client's certificate (PEM), for mutual TLS; needs --key")
    .option("--key <file>", "private key (PEM) of --cert")
    .addOption(
      new Option(
        "--http <version>",
        "HTTP version; 1.1 works behind a proxy without HTTP/2, but has no gRPC and no chat",
      )
        .argParser(httpVersion)
        .default("2")
        .env("ROLLCALL_HTTP"),
    )
    .addOption(
      new Option("--protocol <name>", "protocol to speak (default: grpc, and connect with --http 1.1)").choices([
        "grpc",
        "grpc-web",
        "connect",
      ]),
    )
    .option(
      "--timeout <duration>",
      "give up a call after this time, as 500ms, 30s or 5m (default: 5s, import and export 10m, streams none)",
      timeout,
    )
    .option("--json", "print JSON, and errors as JSON too");
}

/** Parses an option's value as a time in milliseconds. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0)
    throw new InvalidArgumentError("A duration is a number with a unit: 500ms, 30s, 5m, 1h, 7d.");
  return ms;
}

/** Parses a version of HTTP. A variable that is set to an empty text counts as not set. */
function httpVersion(text: string): Globals["http"] {
  if (text === "1.1" || text === "2") return text;
  if (text === "") return undefined;
  throw new InvalidArgumentError("Allowed choices are 1.1, 2.");
}

/** Parses a deadline in milliseconds. */
function timeout(text: string): number {
  const ms = duration(text);
  if (ms > MAX_TIMEOUT_MS) throw new InvalidArgumentError("At most 27h.");
  return ms;
}

/** Creates a parser of an option's value as a whole number from `min` to `max`. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Must be a whole number from ${min} to ${max}.`);
  };
}

/** Report of Ctrl-C in a command that has only read. */
export const NOTHING_CHANGED = "canceled; nothing was changed";

/** Client of a command's calls, and their options: the deadline and Ctrl-C. */
export interface CommandCall {
  readonly client: NodeRollcall;
  readonly options: { readonly signal: AbortSignal; readonly timeoutMs?: number };
}

/**
 * Runs a command's calls with a client for the global options.
 *
 * @param whenInterrupted Returns in words what was done and what was not when Ctrl-C came.
 * @throws UsageError for options that no client can be created with; InterruptedError.
 */
export async function withClient<T>(
  globals: Globals,
  { signal }: Io,
  whenInterrupted: () => string,
  run: (call: CommandCall) => Promise<T>,
  further: Partial<NodeRollcallOptions> = {},
): Promise<T> {
  const { ca, cert, key, timeout, http: httpVersion = "2" } = globals;
  const { protocol = httpVersion === "2" ? "grpc" : "connect" } = globals;
  const token = toBearerToken(globals.token ?? "");
  if (token === undefined) throw new UsageError(TOKEN_FAULT);
  if (protocol === "grpc" && httpVersion === "1.1") {
    throw new UsageError("gRPC needs HTTP/2: with --http 1.1, leave out --protocol grpc, or take grpc-web");
  }
  let client: NodeRollcall;
  try {
    // A variable that is set to an empty text counts as not set.
    const address = (globals.address || DEFAULT_ADDRESS).split(",");
    const pool = { waitTimeoutMs: WAIT_FOR_SERVER_MS };
    const wire = { httpVersion, protocol, tls: { ca: ca || undefined, cert, key } };
    client = createRollcall({ baseUrl: address, token, ...wire, pool, ...further });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  try {
    return await run({ client, options: { signal, ...(timeout !== undefined && { timeoutMs: timeout }) } });
  } catch (error) {
    if (signal.aborted) throw new InterruptedError(whenInterrupted(), { cause: error });
    throw explainHttp(error, protocol);
  } finally {
    await client.close();
  }
}
