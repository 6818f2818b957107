import { expect, test } from "vitest";
import { parseHeaderBlock as parseFields } from "../../src/transport/grpc-websockets/header.ts";

function parseHeaderBlock(...parameters: Parameters<typeof parseFields>): Headers {
  const headers = new Headers();
  const fields = parseFields(...parameters);
  for (let i = 0; i < fields.length; i += 2) headers.append(fields[i] ?? "", fields[i + 1] ?? "");
  return headers;
}

const block = (...lines: string[]) =>
  Buffer.from(["content-type: application/grpc-web+proto", ...lines].map((line) => `${line}\r\n`).join(""));

test("what a caller says of itself is taken", () => {
  const headers = parseHeaderBlock(
    block("authorization: Bearer a.b.c", "X-Custom: 1", "x-custom: 2", "grpc-timeout: 1S"),
    {},
  );
  expect(Object.fromEntries(headers)).toEqual({
    "content-type": "application/grpc-web+proto",
    authorization: "Bearer a.b.c",
    "x-custom": "1, 2",
    "grpc-timeout": "1S",
  });
});

test.each([
  "host",
  "origin",
  "cookie",
  "forwarded",
  "x-forwarded-for",
  "X-Forwarded-Proto",
  "x-real-ip",
  "via",
  "user-agent",
  "sec-fetch-site",
  "x-forwarded",
  "remote-user",
  "X-Remote-User",
  "x-auth-request-email",
  "x-ssl-client-verify",
  "ssl-client-cert",
  "x-original-forwarded-for",
  "x-envoy-external-address",
  "x-amzn-oidc-identity",
  "x-goog-authenticated-user-email",
  "x-azure-clientip",
  "x-cluster-client-ip",
  "cf-connecting-ip",
  "cf-ray",
  "fastly-client-ip",
  "x-host",
  "x-http-method-override",
  "referer",
  "date",
  "set-cookie",
  "accept-encoding",
])("%s comes from the connection alone", (name) => {
  const key = name.toLowerCase();
  expect(parseHeaderBlock(block(`${name}: smuggled`), {}).has(name)).toBe(false);
  expect(parseHeaderBlock(block(`${name}: smuggled`), { [key]: "real" }).get(name)).toBe("real");
});

test.each([
  "connection",
  "Keep-Alive",
  "upgrade",
  "te",
  "trailer",
  "transfer-encoding",
  "content-length",
  "proxy-authorization",
  "http2-settings",
])("%s, of a hop, is dropped from either side", (name) => {
  const key = name.toLowerCase();
  expect(parseHeaderBlock(block(`${name}: smuggled`), { [key]: "real" }).has(name)).toBe(false);
});

test.each(["date-of-birth", "x-hostname", "x-remote", "x-amz", "my-cf-ray", "accept-language", "grpc-accept-encoding"])(
  "%s is a caller's own",
  (name) => {
    expect(parseHeaderBlock(block(`${name}: mine`), {}).get(name)).toBe("mine");
  },
);

test.each(["no colon", ": no name", "a b: space", "ü: letters", "a: \0", "a: ü", ":path: /other"])(
  "%j is malformed",
  (line) => {
    expect(() => parseHeaderBlock(block(line), {})).toThrow("malformed header block");
  },
);
