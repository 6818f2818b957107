import { X509Certificate } from "node:crypto";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { expect, test } from "vitest";
import { parseAlternativeNames } from "./client-certificate.ts";

const authority = await createCertificateAuthority("Test CA");

test("names of a certificate are read, each with its kind; addresses and common names are none", async () => {
  const { cert } = await authority.issue({
    commonName: "admin.internal",
    hosts: ["Billing.internal", "192.0.2.1"],
    uris: ["spiffe://example.org/importer"],
    emails: ["ops@example.com"],
  });
  expect(parseAlternativeNames(new X509Certificate(cert).subjectAltName ?? "")).toEqual([
    "DNS:billing.internal",
    "URI:spiffe://example.org/importer",
    "email:ops@example.com",
  ]);
});

test("a name that spells several is one", async () => {
  const uris = ["spiffe://example.org/x, DNS:admin.internal", 'spiffe://example.org/"y", URI:z'];
  const { cert } = await authority.issue({ commonName: "x", uris });
  expect(parseAlternativeNames(new X509Certificate(cert).subjectAltName ?? "")).toEqual(
    uris.map((uri) => `URI:${uri}`),
  );
});

test.each([
  ["", []],
  ["othername:<unsupported>, DNS:a", ["DNS:a"]],
  ["DNS:a, broken", []],
  ['DNS:a, URI:"not closed', []],
  ['URI:"\\x"', []],
])("%j gives %j", (text, identities) => {
  expect(parseAlternativeNames(text)).toEqual(identities);
});
