/** Checks nothing: this app's own options are always valid. It replaces the client's checks. */
export function checkOptions(): void {}
