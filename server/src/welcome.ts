/** What a developer sees at the start: the address, a link that signs the browser in, a curl line that works. */
export function welcome(url: string, token: string, certFile: string | undefined): string {
  // The certificate itself is an anchor of trust that curl takes, whoever signed it.
  const curl = certFile === undefined ? "curl" : `curl --cacert '${certFile}'`;
  return `
  Rollcall  ${url}

  Sign in   ${url}/#token=${token}

  Try it    ${curl} ${url}/user.v1.UserService/ListUsers \\
              -H 'content-type: application/json' -H 'authorization: Bearer ${token}' -d '{}'

`;
}
