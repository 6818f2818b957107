import type { IncomingHttpHeaders } from "node:http2";

const SPACE = 0x20;
const TAB = 0x09;
const ENDS = /^[ \t]+|[ \t]+$/g;

/**
 * Takes the blanks off both ends of a request's values over HTTP/2, where they are no part of a value (RFC 9110, 5.5), as
 * over HTTP/1.1; gRPC allows it for metadata. nghttp2's own check leaves such fields out and says nothing: a deadline with
 * a blank behind it would be none.
 */
export function trimFields(headers: IncomingHttpHeaders, rawHeaders: string[]): void {
  for (let i = 1; i < rawHeaders.length; i += 2) {
    const value = rawHeaders[i] ?? "";
    if (!isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1))) continue;
    rawHeaders[i] = value.replace(ENDS, "");
    const name = rawHeaders[i - 1] ?? "";
    const joined = headers[name];
    if (typeof joined === "string") headers[name] = joined.replace(ENDS, "");
  }
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
