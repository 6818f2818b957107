import type { IncomingHttpHeaders } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { HEADER_FRAME, PREFIX_BYTES } from "@rollcall/shared/grpc-websockets";
import { mediaTypeOf } from "../../rpc/stages/media-type.ts";

/** Header lines of a request, without the frame that a response's have. `token` and `field-value` of RFC 9110, 5. */
const LINE = /^([!#$%&'*+.^_`|~\da-z-]+):[ \t]*([\t\x20-\x7e]*)$/i;

/**
 * What tells of the connection is never taken from what the page sends, only from
 * the request that opened the socket: a proxy or a log may trust it. So is what
 * proxies set, and strip from requests, to tell who the caller is.
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

/** What describes the one message or hop that it came with (RFC 9110, 7.6.1), and means nothing in here. */
const HOP_BY_HOP =
  /^(?:connection|keep-alive|upgrade|te|trailer|transfer-encoding|content-length|content-encoding|expect|http2-settings|proxy-.*)$/;

/**
 * The headers of a call, out of a `grpc-websockets` header block: `key: value`
 * lines in ASCII. Those of the connection come from the upgrade request.
 *
 * @throws ConnectError invalid_argument for a line that is no header, unimplemented for another protocol.
 */
export function parseHeaderBlock(block: Uint8Array, upgrade: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(upgrade)) {
    if (FROM_CONNECTION.test(name) && value !== undefined) headers.set(name, String(value));
  }
  for (const line of Buffer.from(block).toString("latin1").split(/\r?\n/)) {
    if (line === "") continue;
    const [, name = "", value = ""] = LINE.exec(line) ?? [];
    if (name === "") throw new ConnectError("malformed header block", Code.InvalidArgument);
    const key = name.toLowerCase();
    if (!FROM_CONNECTION.test(key) && !HOP_BY_HOP.test(key)) headers.append(key, value.trim());
  }
  if (!/^application\/grpc-web(?:\+(?:proto|json))?$/.test(mediaTypeOf(headers.get("content-type") ?? "") ?? "")) {
    throw new ConnectError("content-type must be application/grpc-web+proto", Code.Unimplemented);
  }
  return headers;
}

/** The frame in which a response's headers go ahead of its body. */
export function formatHeaderFrame(headers: Headers): Uint8Array {
  let lines = "";
  for (const [name, value] of headers) lines += `${name}: ${value}\r\n`;
  const block = Buffer.from(lines, "latin1");
  const frame = Buffer.alloc(PREFIX_BYTES + block.byteLength);
  frame.writeUInt8(HEADER_FRAME, 0);
  frame.writeUInt32BE(block.byteLength, 1);
  frame.set(block, PREFIX_BYTES);
  return frame;
}
