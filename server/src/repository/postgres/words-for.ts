import { codeOf } from "./errors.ts";
import type { PostgresAddress } from "./options.ts";

/** Returns the name of a database for a message, without its password. */
export function nameOf({ host, port, database }: PostgresAddress): string {
  const place = host.startsWith("/") ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return `PostgreSQL database ${JSON.stringify(database)} at ${place}`;
}

/** Returns in words what is wrong with a database, and what to do about it. Without an error, returns only its name. */
export function wordsFor(error: unknown, address: PostgresAddress): string {
  const name = nameOf(address);
  return error === undefined ? name : `${name} ${reason(error, address)}`;
}

function reason(error: unknown, { user, database }: PostgresAddress): string {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  switch (code) {
    case "28P01":
      return `refuses the password of user ${JSON.stringify(user)}; correct it in DATABASE_URL`;
    case "28000":
      return `refuses user ${JSON.stringify(user)} (${message}); see the server's pg_hba.conf and sslmode in DATABASE_URL`;
    case "3D000":
      return `does not exist; create it (CREATE DATABASE ${database}), or correct DATABASE_URL`;
    case "42501":
      return `refuses user ${JSON.stringify(user)} (${message}); grant it CREATE and USAGE on the schema, and all on its tables`;
    case "53300":
      return "has no connection left; raise its max_connections, or lower DATABASE_CONNECTIONS";
    case "55P03":
      return "is in use: another transaction keeps a lock; end it, or wait for it";
    case "57P03":
      return `takes no connections yet (${message})`;
    case "57P01":
    case "57P02":
      return "is being stopped";
    case "ECONNREFUSED":
    case "ENOENT":
      return `can't be reached (${code}): nothing listens there; start PostgreSQL, or correct DATABASE_URL`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `can't be reached (${code}): the host's name is not known; correct DATABASE_URL`;
  }
  if (/unsupported startup parameter/.test(message)) {
    return `is behind a pooler that takes no settings of a session (${message}); set pgbouncer=true in DATABASE_URL`;
  }
  if (/client password must be/.test(message)) {
    return `asks for a password of user ${JSON.stringify(user)}; add it to DATABASE_URL`;
  }
  if (/does not support SSL/.test(message))
    return "does not speak TLS; set sslmode=disable in DATABASE_URL if that is meant";
  if (/self-signed|certificate|altnames/i.test(message)) {
    return `has a certificate that is not trusted (${message}); set sslrootcert in DATABASE_URL to its authority's file`;
  }
  if (/timeout/.test(message)) return "does not answer in time";
  return `can't be used (${[code, message].filter(Boolean).join(": ")})`;
}
