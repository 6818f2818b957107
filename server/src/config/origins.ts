import type { Reader } from "@rollcall/shared/settings/reader";

/** Schemes of pages that have no origin of their own, and schemes that no page is loaded from. */
const WITHOUT_ORIGIN = ["about:", "blob:", "data:", "file:", "ftp:", "javascript:"];

/**
 * Reads the origins whose pages may call, exactly as a browser sends them (RFC 6454, 6.2). They are those of the web,
 * or of an application or extension with a scheme of its own, such as `tauri://localhost` or `chrome-extension://<id>`.
 */
export function parseOrigins(read: Reader, problems: string[]): string[] {
  const origins = read.list("CORS_ORIGINS");
  for (const origin of origins) {
    const problem = problemOf(origin);
    if (problem !== undefined) problems.push(`CORS_ORIGINS: ${JSON.stringify(origin)} ${problem}`);
  }
  return origins;
}

function problemOf(text: string): string | undefined {
  if (text.includes("*")) return "has a wildcard, which no page's origin has; list each origin";
  if (text === "null") return "is what any sandboxed page sends; it can't be let in";
  if (/[\s;]/.test(text)) return "is not one origin; commas stand between several";
  const url = text.includes("://") ? URL.parse(text) : null;
  if (!url) return "is not an origin, such as https://app.example.com or chrome-extension://<id>";
  if (/^wss?:$/.test(url.protocol)) {
    return `is not the origin of a page; write ${JSON.stringify(originOf(url).replace("ws", "http"))}`;
  }
  if (WITHOUT_ORIGIN.includes(url.protocol) || url.host === "") return "has no origin that a browser sends";
  const origin = originOf(url);
  return origin === text ? undefined : `is not what a browser sends; write ${JSON.stringify(origin)}`;
}

/** Returns the origin. Unlike `url.origin`, it also knows schemes that an application defines. */
function originOf({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}
