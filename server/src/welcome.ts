/** What a developer sees at the start: the address, a link that signs the browser in, a curl line that works. */
export function welcome(url: string, token: string): string {
  return `
  Rollcall  ${url}

  Sign in   ${url}/#token=${token}

  Try it    curl ${url}/user.v1.UserService/ListUsers \\
              -H 'content-type: application/json' -H 'authorization: Bearer ${token}' -d '{}'

`;
}
