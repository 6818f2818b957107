/**
 * The same fields, each of which may be undefined. Under `exactOptionalPropertyTypes`, a field that may be left out does
 * not take undefined by itself.
 */
export type OrUndefined<T> = { [K in keyof T]: T[K] | undefined };
