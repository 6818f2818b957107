import { expect, test } from "vitest";
import { closedInHandshake, tlsFaultOf } from "./tls-faults.ts";

const errorOf = (code: string, fields: object = {}) => Object.assign(new Error(`raw\n${code}`), { code, ...fields });

test.each([
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "signed by itself"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "give the authority's as tls.ca"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "leaves out an intermediate certificate"],
  ["CERT_HAS_EXPIRED", "has expired"],
  ["CERT_NOT_YET_VALID", "is not valid yet"],
  ["INVALID_PURPOSE", "is not for servers"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "does not speak TLS"],
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "asks for a client certificate; give tls.cert and tls.key"],
  ["ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE", "no cipher in common, or it asks for a client certificate"],
  ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "does not trust the authority of this client's certificate"],
  ["ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE", "refuses this client's certificate"],
  ["ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED", "this client's certificate, tls.cert, has expired"],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "no version of TLS in common"],
  ["ERR_SSL_UNSUPPORTED_PROTOCOL", "no version of TLS in common"],
  ["ERR_SSL_TLSV1_UNRECOGNIZED_NAME", "no certificate for the name in its address"],
])("%s is permanent, and explained in words", (code, words) => {
  expect(tlsFaultOf(errorOf(code))).toEqual({ message: expect.stringContaining(words), isTransient: false });
});

test("any other fault has OpenSSL's short reason, without its source lines", () => {
  const { message } = tlsFaultOf(errorOf("ERR_SSL_DH_KEY_TOO_SMALL", { reason: "dh key too small" })) ?? {};
  expect(message).toBe("the TLS handshake failed: dh key too small");
  expect(tlsFaultOf(errorOf("CERT_CHAIN_TOO_LONG"))?.message).toBe(
    "the server's certificate is refused: CERT_CHAIN_TOO_LONG",
  );
});

test("a fault within the server is transient", () => {
  expect(tlsFaultOf(errorOf("ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR"))).toMatchObject({ isTransient: true });
});

test("a certificate with many names does not fill the terminal", () => {
  const cert = { subjectaltname: "DNS:a.example, ".repeat(1_000) };
  const { message = "" } = tlsFaultOf(errorOf("ERR_TLS_CERT_ALTNAME_INVALID", { host: "b.example", cert })) ?? {};
  expect(message).toMatch(/^the server's certificate is not for b\.example, but for a\.example, a\.example/);
  expect(message.length).toBeLessThan(300);
});

test.each(["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "ERR_HTTP2_ERROR"])("%s is not a TLS fault", (code) => {
  expect(tlsFaultOf(errorOf(code))).toBeUndefined();
});

test("a connection that ends in the handshake may need a certificate, or not speak TLS", () => {
  expect(closedInHandshake({}, { isDone: true }).message).toMatch(/after the TLS handshake; it may ask for a client/);
  expect(closedInHandshake({}, { isDone: false }).message).toMatch(/in the TLS handshake; it may speak no TLS, or ask/);
});
