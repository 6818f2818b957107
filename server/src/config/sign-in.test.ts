import { createReader } from "@rollcall/shared/settings/reader";
import { expect, test } from "vitest";
import { parseAuth } from "./auth.ts";
import { parseSignIn } from "./sign-in.ts";

const provider = {
  AUTH_JWKS_URL: "https://id.example.com/keys",
  AUTH_ISSUER: "https://id.example.com/realms/x",
  AUTH_AUDIENCE: "rollcall",
};

function parse(env: Record<string, string>) {
  const problems: string[] = [];
  const read = createReader(env, problems);
  const signIn = parseSignIn(read, { auth: parseAuth(read, problems), scopes: ["users:read", "streams"] }, problems);
  return { signIn, problems };
}

test.each([
  [{}, { kind: "link" }],
  [{ AUTH_SECRET: "x".repeat(32), AUTH_ISSUER: "me" }, { kind: "token" }],
  [provider, { kind: "token", issuer: provider.AUTH_ISSUER }],
  [
    { ...provider, OIDC_CLIENT_ID: "web" },
    {
      kind: "provider",
      issuer: provider.AUTH_ISSUER,
      clientId: "web",
      scope: "openid users:read streams",
      parameters: {},
    },
  ],
  [
    {
      ...provider,
      OIDC_CLIENT_ID: "web",
      OIDC_SCOPES: "openid  offline_access",
      OIDC_PARAMETERS: "resource=https://a.example/&prompt=consent",
    },
    expect.objectContaining({
      scope: "openid offline_access",
      parameters: { resource: "https://a.example/", prompt: "consent" },
    }),
  ],
  [{ ...provider, AUTH_ISSUER: "http://localhost:9000", OIDC_CLIENT_ID: "web" }, expect.anything()],
])("%j leads to %j", (env, signIn) => {
  expect(parse(env)).toEqual({ signIn, problems: [] });
});

test.each([
  [{ OIDC_CLIENT_ID: "web" }, "OIDC_CLIENT_ID: needs AUTH_JWKS_URL and AUTH_ISSUER"],
  [{ OIDC_CLIENT_ID: "web", AUTH_SECRET: "x".repeat(32) }, "OIDC_CLIENT_ID: needs AUTH_JWKS_URL and AUTH_ISSUER"],
  [{ ...provider, OIDC_SCOPES: "openid" }, "OIDC_SCOPES: needs OIDC_CLIENT_ID"],
  [{ ...provider, OIDC_PARAMETERS: "a=b" }, "OIDC_PARAMETERS: needs OIDC_CLIENT_ID"],
  ...["id.example.com", "http://id.example.com", "https://id.example.com/?x", "https://me:secret@id.example.com"].map(
    (issuer) => [
      { ...provider, OIDC_CLIENT_ID: "web", AUTH_ISSUER: issuer },
      "AUTH_ISSUER: must be an https URL without a query when OIDC_CLIENT_ID is set",
    ],
  ),
  ...["users:read", 'openid "x"'].map((scopes) => [
    { ...provider, OIDC_CLIENT_ID: "web", OIDC_SCOPES: scopes },
    "OIDC_SCOPES: must be scopes separated by spaces, with openid among them",
  ]),
  ...["resource", "a=b&a=c"].map((parameters) => [
    { ...provider, OIDC_CLIENT_ID: "web", OIDC_PARAMETERS: parameters },
    "OIDC_PARAMETERS: must be as in a query, such as resource=https://api.example.com, each name once",
  ]),
  ...["client_secret", "state", "code_challenge"].map((name) => [
    { ...provider, OIDC_CLIENT_ID: "web", OIDC_PARAMETERS: `${name}=x` },
    `OIDC_PARAMETERS: must not have "${name}"`,
  ]),
] as [Record<string, string>, string][])("%j is refused: %s", (env, problem) => {
  expect(parse(env).problems).toEqual([problem]);
});
