import { isIP } from "node:net";
import type { Reader } from "@rollcall/shared/settings/reader";

const NAME = /^[a-z\d]([a-z\d.-]*[a-z\d])?$/;

/** Reads the host to listen on. Returns undefined if the text is not a host. */
export function parseHost(read: Reader, problems: string[]): string | undefined {
  const text = read.text("HOST") ?? "localhost";
  // The zone of an address, as in fe80::1%eth0, may have capitals.
  if (isIP(text)) return text;
  const host = text.toLowerCase();
  if (NAME.test(host)) return host;
  problems.push(`HOST: must be a host name or an IP address${hint(host)}`);
  return undefined;
}

function hint(host: string): string {
  const [, inBrackets = "", port] = /^\[([^\]]*)\](:\d*)?$/.exec(host) ?? [];
  if (isIP(inBrackets)) return `, without brackets: ${inBrackets}${port ? "; the port is set by PORT" : ""}`;
  if (/^[a-z]+:\/\//.test(host)) return ` alone, without ${host.split("//", 1)[0]}//`;
  if (/^[^:]+:\d*$/.test(host)) return " alone; the port is set by PORT";
  if (host === "*") return "; 0.0.0.0 or :: stand for all addresses of this machine";
  return "";
}

/** Returns whether a host is this machine alone (RFC 6761, 6.3; RFC 1122, 3.2.1.3; RFC 4291, 2.5.3). */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 6) return URL.parse(`http://[${host}]`)?.hostname === "[::1]";
  return host === "localhost" || (isIP(host) === 4 && host.startsWith("127."));
}
