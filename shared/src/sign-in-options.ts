/** How people sign in to the web app. The page reads it, so nothing in it is secret. */
export type SignInOptions =
  /** By the link that the server prints when it starts. */
  | { readonly kind: "link" }
  /** With a token; from the issuer, if there is one. */
  | { readonly kind: "token"; readonly issuer?: string | undefined }
  /** At an identity provider, by OpenID Connect: authorization code with PKCE. */
  | {
      readonly kind: "provider";
      /** Issuer, whose origin has the endpoints too. */
      readonly issuer: string;
      /** The web app's public client at the provider. */
      readonly clientId: string;
      /** Scopes to ask for, separated by spaces, with `openid` among them. */
      readonly scope: string;
      /** Further parameters of each request to the provider, such as `resource` (RFC 8707). */
      readonly parameters: Readonly<Record<string, string>>;
    };
