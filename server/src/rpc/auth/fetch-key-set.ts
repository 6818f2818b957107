import { keySetLimits } from "../../limits.ts";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches a key set (RFC 7517, 5) within the time, redirects included, and parses its JSON. No error message quotes the
 * address, which may hold a secret.
 *
 * @throws Error for an answer that is late, too large, not 200 or not JSON, and for more than three redirects or one
 * away from https. Also throws any error of `fetch` when the provider can't be reached.
 */
export async function fetchKeySet(url: URL, timeoutMs: number): Promise<unknown> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await followRedirects(url, signal);
    return JSON.parse(await readBody(response));
  } catch (error) {
    if (signal.aborted) throw new Error(`no complete answer within ${timeoutMs} ms`);
    // A SyntaxError's message quotes the text that could not be parsed.
    throw error instanceof SyntaxError ? new Error("the answer is not JSON") : error;
  }
}

async function followRedirects(start: URL, signal: AbortSignal): Promise<Response> {
  let url = start;
  for (let redirects = 0; redirects <= keySetLimits.maxRedirects; redirects++) {
    const headers = { accept: "application/jwk-set+json, application/json" };
    const response = await fetch(url, { signal, redirect: "manual", headers });
    if (response.status === 200) return response;
    await response.body?.cancel();
    if (!REDIRECTS.has(response.status)) throw new Error(`the answer has status ${response.status}, not 200`);
    const target = URL.parse(response.headers.get("location") ?? "", url);
    if (!target) throw new Error("a redirect leads to no address");
    // Only https is followed, since keys that somebody could change in transit can't be trusted. The one exception is
    // the plaintext loopback address in the settings.
    if (target.protocol !== "https:" && target.origin !== start.origin)
      throw new Error("a redirect leads out of https");
    url = target;
  }
  throw new Error(`more than ${keySetLimits.maxRedirects} redirects`);
}

/** Reads the body as text, up to the limit. Leaving the loop cancels the rest. */
async function readBody({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of body ?? []) {
    byteCount += chunk.byteLength;
    if (byteCount > keySetLimits.maxBytes) throw new Error(`the answer is larger than ${keySetLimits.maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
