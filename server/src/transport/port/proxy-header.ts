import { isIP } from "node:net";

/** Source of a connection as a proxy names it; undefined where the connection is the proxy's own, such as a health check. */
export interface ProxySource {
  readonly address: string;
  readonly port: number;
}

/** Kind of the first bytes of a connection; with how many are the header's, once it is whole. */
export type ProxyHeader =
  | { readonly state: "incomplete" }
  | { readonly state: "invalid" }
  | { readonly state: "whole"; readonly bytes: number; readonly source: ProxySource | undefined };

const INCOMPLETE: ProxyHeader = { state: "incomplete" };
const INVALID: ProxyHeader = { state: "invalid" };

const V1_START = Buffer.from("PROXY ");
/** Longest line of version 1, in bytes. */
const MAX_V1_BYTES = 107;
const V2_START = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V2_HEAD_BYTES = 16;
/** Longest header of version 2 that is read, in bytes. Extensions of proxies have some hundred. */
const MAX_V2_BYTES = 4_096;

/** Parses the header that a connection begins with by the PROXY protocol, in either version (haproxy.org, 2.1 and 2.2). */
export function parseProxyHeader(head: Buffer): ProxyHeader {
  if (startsAlike(head, V2_START)) return head.length < V2_HEAD_BYTES ? INCOMPLETE : parseV2(head);
  return startsAlike(head, V1_START) ? parseV1(head) : INVALID;
}

/** Returns whether bytes begin with a start, as far as they have come. */
function startsAlike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function parseV1(head: Buffer): ProxyHeader {
  const end = head.subarray(0, MAX_V1_BYTES).indexOf("\r\n");
  if (end < 0) return head.length < MAX_V1_BYTES ? INCOMPLETE : INVALID;
  const [, family, address = "", , port = ""] = head.toString("latin1", 0, end).split(" ");
  const bytes = end + 2;
  if (family === "UNKNOWN") return { state: "whole", bytes, source: undefined };
  const version = { TCP4: 4, TCP6: 6 }[family ?? ""];
  if (version === undefined || isIP(address) !== version || !/^\d{1,5}$/.test(port)) return INVALID;
  return { state: "whole", bytes, source: { address, port: Number(port) } };
}

function parseV2(head: Buffer): ProxyHeader {
  const command = head[12];
  const family = head[13];
  const bytes = V2_HEAD_BYTES + head.readUInt16BE(14);
  // Version 2, LOCAL or PROXY.
  if ((command !== 0x20 && command !== 0x21) || bytes > MAX_V2_BYTES) return INVALID;
  if (head.length < bytes) return INCOMPLETE;
  if (command === 0x20 || family === 0x00) return { state: "whole", bytes, source: undefined };
  const addresses = head.subarray(V2_HEAD_BYTES, bytes);
  if (family === 0x11 && addresses.length >= 12) {
    const address = addresses.subarray(0, 4).join(".");
    return { state: "whole", bytes, source: { address, port: addresses.readUInt16BE(8) } };
  }
  if (family === 0x21 && addresses.length >= 36) {
    const groups = Array.from({ length: 8 }, (_, i) => addresses.readUInt16BE(2 * i).toString(16));
    return { state: "whole", bytes, source: { address: groups.join(":"), port: addresses.readUInt16BE(32) } };
  }
  return INVALID;
}
