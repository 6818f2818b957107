/** Parts of a URL that the parser drops, or that would be sent with each call. In an address they are mistakes. */
const SLIPS: readonly (readonly [pattern: RegExp, problem: string])[] = [
  [/\?/, "must not have a query, which begins with ?"],
  [/#/, "must not have a fragment, which begins with #"],
  [/\uFFFD/, "is not in UTF-8"],
  [/[\s\p{Cc}\\]/u, "must not have spaces, line breaks or backslashes"],
  [/\/\/[^/]*@/, "must not have a user name or password; a token is an option of its own"],
  [/\/\/.*\/\//, "must not have // in its path"],
];

/**
 * Parses the address of a server, such as `https://rollcall.example.com`, with or without the path of a proxy in front
 * of it. Ignores blanks around it. In a browser, it may be relative to the page.
 *
 * @throws TypeError that says what is wrong. It quotes neither query nor password, which can be secrets.
 */
export function parseServerAddress(address: string): URL {
  // Programs in JavaScript may pass anything, or use another name.
  if (typeof address !== "string") {
    const given = address === null ? "null" : typeof address;
    throw new TypeError(`baseUrl must be a string, such as "https://rollcall.example.com", but it is ${given}`);
  }
  const text = address.trim();
  const fail = (problem: string) => new TypeError(`the address ${JSON.stringify(withoutSecrets(text))} ${problem}`);
  for (const [pattern, problem] of SLIPS) if (pattern.test(text)) throw fail(problem);
  const { location } = globalThis as { location?: { readonly href: string } };
  const isRelative = location !== undefined && text !== "" && !/^[^/]*:/.test(text);
  // A URL parser accepts `http:example.com` and `http:///example.com` too.
  if (!isRelative && !/^https?:\/\/[^/]/i.test(text)) {
    throw fail("must begin with http:// or https:// and a host, as https://rollcall.example.com does");
  }
  try {
    return new URL(text, location?.href);
  } catch {
    // The parser's own error quotes the whole address.
    throw fail("has a host or a port that can't be");
  }
}

function withoutSecrets(text: string): string {
  return text.replace(/[?#].*/s, "…").replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1…@");
}
