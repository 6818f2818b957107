/**
 * Calls a caller's hook, whose faults are its own: a call whose logger fails has not
 * failed, and is not made again.
 */
export function tell(hook: () => void): void {
  try {
    hook();
  } catch {
    // There is nobody to tell: the hook is who would be told.
  }
}
