import type { IncomingHttpHeaders } from "node:http";

/** Converts Node's headers to Web headers, without the pseudo-headers of HTTP/2. */
export function toWebHeaders(headers: IncomingHttpHeaders, target: Headers = new Headers()): Headers {
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    for (const item of Array.isArray(value) ? value : [value]) target.append(name, item);
  }
  return target;
}
