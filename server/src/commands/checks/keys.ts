import type { AuthConfig } from "../../config/auth.ts";
import { keySetLimits } from "../../limits.ts";
import { fetchKeySet } from "../../rpc/auth/fetch-key-set.ts";
import { parseKeySet } from "../../rpc/auth/key-set.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Checks the keys that tokens are verified with; fetches those of an identity provider. */
export async function checkKeys({ keys }: AuthConfig): Promise<Finding[]> {
  if (!keys) return [ok("tokens: the development key, for this machine alone")];
  if ("secret" in keys) {
    if (!keys.previousSecret) return [ok("tokens: AUTH_SECRET")];
    return [warn("tokens: AUTH_SECRET, and AUTH_SECRET_PREVIOUS: unset that when its last token has expired")];
  }
  try {
    const { keys: found, leftOut } = parseKeySet(await fetchKeySet(keys.jwksUrl, keySetLimits.fetchTimeoutMs));
    const unusable = leftOut.map(({ kid, reason }) => warn(`tokens: key ${kid ?? "without a kid"} ${reason}`));
    return [ok(`tokens: ${found.length} keys of the identity provider`), ...unusable];
  } catch (error) {
    // fetch only says that it failed; its cause has the reason.
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    return [
      fail(
        `tokens: the keys of AUTH_JWKS_URL can't be had (${cause?.code ?? message}): check the URL and the way there`,
      ),
    ];
  }
}
