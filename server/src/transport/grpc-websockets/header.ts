import type { IncomingHttpHeaders } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { HEADER_FRAME, PREFIX_BYTES } from "@rollcall/shared/grpc-websockets";
import { mediaTypeOf } from "../../rpc/stages/media-type.ts";

/**
 * Header line of a request. Request headers come without a frame, unlike those of a response. `token` and `field-value`
 * are those of RFC 9110, 5.
 */
const LINE = /^([!#$%&'*+.^_`|~\da-z-]+):[ \t]*([\t\x20-\x7e]*)$/i;

/**
 * Headers that describe the connection. They are taken only from the request that opened the socket. The page can't set
 * them, since a proxy or a log may trust them. The same holds for headers that proxies set to identify the caller, and
 * remove from requests.
 */
const FROM_CONNECTION = new RegExp(
  `^(?:${[
    "host|origin|referer|date|cookie2?|set-cookie|user-agent|accept-encoding|sec-.*",
    "forwarded|via|x-forwarded(?:-.*)?|x-original-.*|x-host|x-http-method-override",
    "x-real-ip|true-client-ip|fastly-client-ip|x-cluster-client-ip|x-client-.*|cf-.*",
    "remote-user|x-remote-.*|x-auth-request-.*|ssl-client-.*|x-ssl-.*",
    "x-envoy-.*|x-amzn-.*|x-goog-.*|x-azure-.*",
  ].join("|")})$`,
);

/** Headers that describe a single message or hop (RFC 9110, 7.6.1), and mean nothing here. */
const HOP_BY_HOP =
  /^(?:connection|keep-alive|upgrade|te|trailer|transfer-encoding|content-length|content-encoding|expect|http2-settings|proxy-.*)$/;

/**
 * Parses a `grpc-websockets` header block into the headers of a call: `key: value` lines in ASCII. Headers of the
 * connection come from the upgrade request.
 *
 * @returns Names, in lower case, and values in turn.
 * @throws ConnectError invalid_argument for a line that is not a header, unimplemented for another protocol.
 */
export function parseHeaderBlock(block: Uint8Array, upgrade: IncomingHttpHeaders): string[] {
  const fields: string[] = [];
  for (const [name, value] of Object.entries(upgrade)) {
    if (FROM_CONNECTION.test(name) && value !== undefined) fields.push(name, String(value));
  }
  for (const line of Buffer.from(block).toString("latin1").split(/\r?\n/)) {
    if (line === "") continue;
    const [, name = "", value = ""] = LINE.exec(line) ?? [];
    if (name === "") throw new ConnectError("malformed header block", Code.InvalidArgument);
    const key = name.toLowerCase();
    if (!FROM_CONNECTION.test(key) && !HOP_BY_HOP.test(key)) fields.push(key, value.trim());
  }
  const mediaType = mediaTypeOf(fieldOf(fields, "content-type") ?? "");
  if (!/^application\/grpc-web(?:\+(?:proto|json))?$/.test(mediaType ?? "")) {
    throw new ConnectError("content-type must be application/grpc-web+proto", Code.Unimplemented);
  }
  return fields;
}

/**
 * Returns the value of a field. If the field came several times, returns all values, joined as in HTTP (RFC 9110, 5.3).
 */
export function fieldOf(fields: readonly string[], name: string): string | undefined {
  let joined: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) joined = joined === undefined ? fields[i + 1] : `${joined}, ${fields[i + 1]}`;
  }
  return joined;
}

/** Returns the frame that carries a response's headers before its body. @param fields Names and values in turn. */
export function formatHeaderFrame(fields: readonly string[]): Buffer {
  let lines = "";
  for (let i = 0; i < fields.length; i += 2) lines += `${fields[i]}: ${fields[i + 1]}\r\n`;
  const block = Buffer.from(lines, "latin1");
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + block.byteLength);
  frame.writeUInt8(HEADER_FRAME, 0);
  frame.writeUInt32BE(block.byteLength, 1);
  frame.set(block, PREFIX_BYTES);
  return frame;
}
