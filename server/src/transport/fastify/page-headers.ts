/**
 * Content policy of pages: everything has to come from their own origin, except for the given scripts and calls. No
 * inline scripts or styles.
 */
function policy(scripts: string[], calls: string[]): string {
  return [
    "default-src 'none'",
    ...scripts,
    "style-src 'self'",
    "img-src 'self'",
    ...calls,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

const HEADERS = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * Returns the headers of the web app, which also calls its own origin, over WebSockets too.
 *
 * @param origins Other origins that it calls.
 */
export function appHeaders(origins: readonly string[]): Readonly<Record<string, string>> {
  const calls = ["connect-src 'self'", ...origins].join(" ");
  return { ...HEADERS, "content-security-policy": policy(["script-src 'self'"], [calls]) };
}

/** Headers of a page without scripts. */
export const STATIC_PAGE_HEADERS = { ...HEADERS, "content-security-policy": policy([], []) };
