/** Options of a navigation to the directory that immediately asks for a new user, for example from the palette. */
export const WANTS_NEW_USER = { state: { newUser: true } } as const;

/** Returns whether a state of the browser's history asks for a new user. */
export function wantsNewUser(state: unknown): boolean {
  return typeof state === "object" && state !== null && "newUser" in state;
}
