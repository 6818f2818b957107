/**
 * Calls a caller's hook, whose faults are its own: a call whose logger fails has not
 * failed, and is not made again.
 */
export function callHook(hook: () => void): void {
  try {
    hook();
  } catch {
    // There is nobody else to report it to.
  }
}
