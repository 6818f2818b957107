interface Welcome {
  url: string;
  token: string;
  /** File of the server's certificate, if it serves TLS. */
  certFile?: string | undefined;
  /** Whether clients need a certificate of their own. Only they know where its files are. */
  asksForCertificates: boolean;
}

/**
 * Returns the text that a developer sees at the start: the address, a link that signs the browser in, and a curl line
 * that works.
 */
export function welcome({ url, token, certFile, asksForCertificates }: Welcome): string {
  // curl accepts the certificate itself as a trust anchor, no matter who signed it.
  const trust = certFile === undefined ? "curl" : `curl --cacert '${certFile}'`;
  const curl = asksForCertificates ? `${trust} --cert CLIENT.pem --key CLIENT-KEY.pem` : trust;
  return `
  Rollcall  ${url}

  Sign in   ${url}/#token=${token}

  Try it    ${curl} ${url}/user.v1.UserService/ListUsers \\
              -H 'content-type: application/json' -H 'authorization: Bearer ${token}' -d '{}'

`;
}
