import { resolve } from "node:path";
import { PemError, readCertificates, toPem } from "@rollcall/pem";
import { fileFault } from "@rollcall/shared/file-fault";
import type { FileSources } from "./tls.ts";

/** Where a PostgreSQL database is, and how to get in. */
export interface PostgresConfig {
  readonly kind: "postgres";
  /** Name or IP address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly applicationName: string | undefined;
  readonly tls: false | { readonly verify: "nothing" | "issuer" | "all"; readonly ca?: string | undefined };
  /** Whether a pooler such as pgbouncer in transaction mode is in between. */
  readonly isPooled: boolean;
}

const FORM = "postgres://user:password@host:5432/database";
const DEFAULT_PORT = 5_432;
const PARAMETERS = ["application_name", "host", "pgbouncer", "sslmode", "sslrootcert"];
const VERIFY = { require: "nothing", "verify-ca": "issuer", "verify-full": "all" } as const;

/**
 * Reads a URL such as `postgres://user:password@host:5432/database?sslmode=verify-full`.
 *
 * @returns The settings or, for a bad URL, a description of the fault. It never quotes a part that may be a password.
 */
export function parsePostgresUrl(url: string, files: FileSources): PostgresConfig | string {
  // URLs of schemes other than http may have a user and no host; `URL` refuses to parse them.
  const hasNoHost = /^\w+:\/\/[^/?]*@[/?]/.test(url);
  const parsed = URL.parse(hasNoHost ? url.replace("@", "@localhost") : url);
  if (/^[^/]*\/\/[^/?]*,/.test(url))
    return "must name one host: where several take turns, name the one that follows them";
  if (!parsed || !/^postgres(ql)?:\/\//i.test(url)) {
    return `must be ${FORM}; in user and password, write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F and % as %25`;
  }
  if (parsed.hash !== "") return "has a # in it; write it as %23";
  const parts = [parsed.username, parsed.password, hasNoHost ? "" : parsed.hostname, parsed.pathname.slice(1)].map(
    decode,
  );
  const [user, password, urlHost, database] = parts;
  if (user === undefined || password === undefined || urlHost === undefined || database === undefined) {
    return "has a % that is none of percent-encoding; write it as %25";
  }
  for (const name of parsed.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) {
      // The unknown name is not quoted: if a password contains a `?`, the name may be a part of it.
      return `takes the parameters ${PARAMETERS.join(", ")}, and no others; a ? in a password is written as %3F`;
    }
  }
  const read = (name: string) => parsed.searchParams.get(name) || undefined;
  const host = read("host") ?? urlHost.replace(/^\[(.*)\]$/, "$1");
  if (host === "") return `must name a host: ${FORM}`;
  if (user === "") return `must name a user: ${FORM}`;
  if (database === "" || database.includes("/")) return `must name a database: ${FORM}`;
  const pooled = read("pgbouncer") ?? "false";
  if (!["true", "false"].includes(pooled)) return "pgbouncer must be true or false";
  const tls = parseTls(read("sslmode") ?? (isLocal(host) ? "disable" : "verify-full"), read("sslrootcert"), files);
  if (typeof tls === "string") return tls;
  return {
    kind: "postgres",
    host,
    port: Number(parsed.port) || DEFAULT_PORT,
    user,
    password: password || undefined,
    database,
    applicationName: read("application_name"),
    tls,
    isPooled: pooled === "true",
  };
}

function parseTls(mode: string, rootCert: string | undefined, files: FileSources): PostgresConfig["tls"] | string {
  if (mode === "disable") return rootCert === undefined ? false : "sslrootcert has no use with sslmode=disable";
  const verify = Object.entries(VERIFY).find(([name]) => name === mode)?.[1];
  if (!verify) return `sslmode must be one of disable, ${Object.keys(VERIFY).join(", ")}`;
  if (rootCert === undefined) return { verify };
  try {
    return { verify, ca: toPem(readCertificates(files.readFile(resolve(files.rootDir, rootCert)))) };
  } catch (error) {
    return `sslrootcert: ${rootCert} ${error instanceof PemError ? error.message : fileFault(error)}`;
  }
}

/** Returns whether connections to a host never leave the machine. */
function isLocal(host: string): boolean {
  return host.startsWith("/") || /^(localhost|127(\.\d+){3}|::1)$/.test(host);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
