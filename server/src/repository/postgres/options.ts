/**
 * Options of a host. This file does not import the driver: else each program that embeds the server would need the
 * driver's types to be compiled.
 */
import type { OpenNotices } from "../database-open.ts";

/** Where a PostgreSQL database is, and how to get in. */
export interface PostgresAddress {
  /** Name or IP address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Undefined if the server asks for none. */
  readonly password: string | undefined;
  readonly database: string;
  readonly applicationName?: string | undefined;
  /** TLS: false for none, else the checks of the server's certificate. */
  readonly tls: false | PostgresTls;
  /** Whether a pooler gives each transaction another connection. Prepared statements then have no names. */
  readonly isPooled?: boolean | undefined;
}

export interface PostgresTls {
  /** "nothing" encrypts only; "issuer" checks who signed the certificate; "all" checks its name too. */
  readonly verify: "nothing" | "issuer" | "all";
  /** Certificates of the authorities, in PEM. Default: those of Node.js. */
  readonly ca?: string | undefined;
}

export interface OpenPostgresOptions extends OpenNotices {
  readonly address: PostgresAddress;
  /** Most connections at the same time. Default 16. */
  readonly maxConnections?: number | undefined;
  /** Longest time of a call, in milliseconds; every wait gets a share of it. Default 1 s. */
  readonly timeoutMs?: number | undefined;
  /** How long to wait for a server that can't be reached yet, in milliseconds. Default 10 s. */
  readonly startTimeoutMs?: number | undefined;
}
