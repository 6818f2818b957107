/** Calls a caller's hook and drops its errors: a call whose logger fails has not failed, and is not repeated. */
export function callHook(hook: () => void): void {
  try {
    hook();
  } catch {
    // Ignore: the failing hook is the only place that errors could be reported to.
  }
}
