/** The caller, as an accepted token names it. */
export interface Principal {
  /** The token's `sub`. */
  readonly subject: string;
  readonly scopes: ReadonlySet<string>;
  /** The token's `exp`, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}
