import { base64Decode } from "@bufbuild/protobuf/wire";
import { MAX_GET_URL_LENGTH } from "../internal/max-get-url.ts";

/** Wraps a `fetch` to send a read by Connect's POST if its URL is longer than every server and proxy takes. */
export function postLongReads(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return (input, init = {}) => {
    const text = String(input);
    if (init.method !== "GET" || text.length <= MAX_GET_URL_LENGTH) return fetch(input, init);
    const { origin, pathname, searchParams } = new URL(text);
    const headers = new Headers(init.headers);
    headers.set("content-type", `application/${searchParams.get("encoding")}`);
    headers.set("connect-protocol-version", "1");
    const message = searchParams.get("message") ?? "";
    const body = searchParams.has("base64") ? base64Decode(message) : message;
    return fetch(origin + pathname, { ...init, method: "POST", headers, body });
  };
}
