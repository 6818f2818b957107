/**
 * Returns the text that a developer sees at the start: the address, a link that signs the browser in, and a curl line
 * that works.
 */
export function welcome(url: string, token: string, certFile: string | undefined): string {
  // curl accepts the certificate itself as a trust anchor, whoever signed it.
  const curl = certFile === undefined ? "curl" : `curl --cacert '${certFile}'`;
  return `
  Rollcall  ${url}

  Sign in   ${url}/#token=${token}

  Try it    ${curl} ${url}/user.v1.UserService/ListUsers \\
              -H 'content-type: application/json' -H 'authorization: Bearer ${token}' -d '{}'

`;
}
