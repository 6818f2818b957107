import { createReader } from "@rollcall/shared/settings/reader";
import { expect, test } from "vitest";
import { parseClientScopes } from "./client-scopes.ts";

const files: Record<string, string> = {
  "/app/clients.txt": [
    "\uFEFF# Services, by their SPIFFE IDs",
    "",
    "URI:spiffe://example.org/importer?a=b = users:read  users:write",
    "DNS:Billing.Internal=users:read",
  ].join("\r\n"),
  "/app/bad.txt": "URI:spiffe://a=streams\nnobody\nURI:spiffe://a=users:read\n",
};

function parse(env: Record<string, string>) {
  const problems: string[] = [];
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error("no"), { code: "ENOENT" });
    return text;
  };
  const scopes = ["users:read", "users:write", "streams"];
  const read = createReader({ TLS_CLIENT_CA_FILE: "ca.pem", ...env }, problems);
  return { clients: parseClientScopes(read, { rootDir: "/app", readFile, scopes }, problems), problems };
}

test("nothing is set", () => {
  expect(parse({})).toEqual({ clients: undefined, problems: [] });
});

test.each([
  [{ TLS_CLIENT_SCOPES_FILE: "clients.txt" }],
  [
    {
      TLS_CLIENT_SCOPES:
        "URI:spiffe://example.org/importer?a=b=users:read users:write, DNS:billing.internal=users:read",
    },
  ],
])("%j is read", (env) => {
  const { clients, problems } = parse(env);
  expect(problems).toEqual([]);
  expect({ ...clients }).toEqual({
    "URI:spiffe://example.org/importer?a=b": ["users:read", "users:write"],
    "DNS:billing.internal": ["users:read"],
  });
});

const form = "is not an identity, of the kind URI, DNS or email, and its scopes, such as";

test.each([
  [{ TLS_CLIENT_SCOPES: "billing=users:read" }, [`TLS_CLIENT_SCOPES: "billing=users:read" ${form}`]],
  [{ TLS_CLIENT_SCOPES: "URI:spiffe://a" }, [`TLS_CLIENT_SCOPES: "URI:spiffe://a" ${form}`]],
  [{ TLS_CLIENT_SCOPES: "URI:spiffe://a=" }, ["TLS_CLIENT_SCOPES: URI:spiffe://a has no scopes; there are"]],
  [{ TLS_CLIENT_SCOPES: "DNS:*.internal=streams" }, ["TLS_CLIENT_SCOPES: *.internal has a wildcard"]],
  [{ TLS_CLIENT_SCOPES: "DNS:a=admin" }, ['TLS_CLIENT_SCOPES: there is no scope "admin"; there are users:read']],
  [{ TLS_CLIENT_SCOPES: "DNS:a=streams, DNS:A=streams" }, ["TLS_CLIENT_SCOPES: DNS:a is listed already"]],
  [{ TLS_CLIENT_SCOPES: "DNS:a=streams", TLS_CLIENT_CA_FILE: "" }, ["TLS_CLIENT_SCOPES: needs TLS_CLIENT_CA_FILE"]],
  [
    { TLS_CLIENT_SCOPES: "DNS:a=streams", TLS_CLIENT_SCOPES_FILE: "clients.txt" },
    ["TLS_CLIENT_SCOPES_FILE: must not be set together with TLS_CLIENT_SCOPES"],
  ],
  [{ TLS_CLIENT_SCOPES_FILE: "no.txt" }, ["TLS_CLIENT_SCOPES_FILE: no.txt does not exist"]],
  [
    { TLS_CLIENT_SCOPES_FILE: "bad.txt" },
    [
      `TLS_CLIENT_SCOPES_FILE: bad.txt line 2: "nobody" ${form}`,
      "TLS_CLIENT_SCOPES_FILE: bad.txt line 3: URI:spiffe://a is listed already",
    ],
  ],
])("%j is refused with a reason", (env, words) => {
  expect(parse(env).problems).toEqual(words.map((text) => expect.stringContaining(text)));
});
