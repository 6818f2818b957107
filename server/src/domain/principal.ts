/** The caller, as an accepted token or client certificate names it. */
export interface Principal {
  /** The token's `sub`, or the certificate's identity, such as `URI:spiffe://example.org/importer`. */
  readonly subject: string;
  readonly scopes: ReadonlySet<string>;
  /** End of the token or certificate, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
  /** Whether the caller is known by a client certificate instead of a token. */
  readonly isByCertificate?: boolean | undefined;
}
