/**
 * Call that an address stands for. Everything is as the person who made the link left it, but a token is never part of
 * it.
 */
export interface CallLink {
  /** Full name of the method, such as `user.v1.UserService/GetUser`. */
  readonly method?: string;
  readonly via?: string;
  readonly timeoutMs?: string;
  /** Request as JSON; missing if it is too long for an address. */
  readonly body?: string;
}

/** Longest body in a link, in characters. Longer addresses do not survive mail and chat programs. */
export const MAX_BODY_CHARACTERS = 4_096;
const NAMES = ["method", "via", "timeoutMs", "body"] as const;

/**
 * Makes the fragment of an address that opens the page with a call. Browsers send no fragment to any server, so the
 * request's body never appears in a log.
 */
export function linkOf(call: CallLink): string {
  const parameters = new URLSearchParams();
  for (const name of NAMES) {
    const value = call[name];
    const isTooLong = name === "body" && (value?.length ?? 0) > MAX_BODY_CHARACTERS;
    if (value && !isTooLong) parameters.set(name, value);
  }
  return `#${parameters}`;
}

/** Reads the call of a fragment. The page has to check for missing and wrong parts. */
export function readLink(fragment: string): CallLink {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ""));
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = parameters.get(name);
      return value === null || value.length > MAX_BODY_CHARACTERS ? [] : [[name, value]];
    }),
  );
}
