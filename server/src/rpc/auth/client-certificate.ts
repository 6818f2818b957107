import type { Principal } from "../../domain/principal.ts";

/** A client's certificate, verified by the handshake of its connection. */
export interface ClientCertificate {
  /**
   * Identities that the certificate proves, such as `URI:spiffe://example.org/importer`, `DNS:billing.internal` or
   * `email:ops@example.com`.
   */
  readonly identities: readonly string[];
  /** End of its validity, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/** Scopes by a certificate's identity, compared letter by letter. An identity that is not listed has none. */
export type ClientScopes = Readonly<Record<string, readonly string[]>>;

/**
 * Creates a function that returns the caller that a certificate stands for; undefined if none of its identities is
 * listed. The caller is named by the first listed identity, and has the scopes of all listed ones.
 *
 * @param clientScopes Returns the list, which may be replaced while the server runs.
 */
export function createCertificateCallers(
  clientScopes: () => ClientScopes | undefined,
): (certificate: ClientCertificate) => Principal | undefined {
  let listed: ClientScopes | undefined;
  let callers = new WeakMap<ClientCertificate, Principal>();
  return (certificate) => {
    const current = clientScopes();
    if (current !== listed) {
      listed = current;
      callers = new WeakMap();
    }
    const known = callers.get(certificate);
    if (known || !listed) return known;
    const scopesOf = listed;
    const identities = certificate.identities.filter((identity) => Object.hasOwn(scopesOf, identity));
    const [subject] = identities;
    if (subject === undefined) return undefined;
    const scopes = new Set(identities.flatMap((identity) => scopesOf[identity] ?? []));
    const caller: Principal = { subject, scopes, expiresAtMs: certificate.expiresAtMs, isByCertificate: true };
    callers.set(certificate, caller);
    return caller;
  };
}
