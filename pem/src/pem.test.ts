import { createPrivateKey } from "node:crypto";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { describe, expect, test } from "vitest";
import { findPairFault, readCertificates, readPrivateKey, toPem } from "./index.ts";

const authority = await createCertificateAuthority("Test CA");
const other = await createCertificateAuthority("Other CA");
const { cert, key } = await authority.issue({ commonName: "Server", hosts: ["localhost"] });
/** Remove the second line, as a careless paste may. */
const damaged = cert.replace(/\n.+\n/, "\n");
const cut = cert.slice(0, 200);
const passphrase = { format: "pem", cipher: "aes-256-cbc", passphrase: "secret" } as const;
const encrypted = createPrivateKey(key).export({ type: "pkcs8", ...passphrase }) as string;
const encryptedAsOnce = createPrivateKey(key).export({ type: "sec1", ...passphrase }) as string;

describe("certificates", () => {
  test.each([
    ["one after the other", `${authority.cert}\n${other.cert}\n`],
    ["with comments between", `# One\n${authority.cert}\n\nTwo, as openssl prints it:\n${other.cert}`],
    ["with Windows' line ends", `${authority.cert}\n${other.cert}`.replaceAll("\n", "\r\n")],
    ["behind a byte order mark", `\uFEFF${authority.cert}\n${other.cert}`],
    ["without a line break between", authority.cert.trim() + other.cert],
    ["with a key among them", `${authority.cert}\n${key}\n${other.cert}`],
  ])("are all read, %s", (_name, text) => {
    const certificates = readCertificates(text);
    expect(certificates.map(({ subject }) => subject)).toEqual(["CN=Test CA", "CN=Other CA"]);
    expect(readCertificates(toPem(certificates))).toHaveLength(2);
  });

  test.each([
    ["", "is empty"],
    [" \n", "is empty"],
    ["hello", "is not PEM: it has no line -----BEGIN CERTIFICATE-----"],
    [Buffer.from([0x30, 0x82, 0x01, 0]).toString(), /is not PEM.*, and may be DER$/],
    [key, "has no certificate in PEM, only a PRIVATE KEY"],
    [`# A\n\n${damaged}`, "is damaged: block 1 of 1 (line 3) is not a certificate that can be read"],
    [`${cert}\n${damaged}\n${cert}`, /block 2 of 3 \(line \d+\) is not a certificate/],
    [`${cert}\n${cut}`, /is cut or damaged: block 2 of 2 \(line \d+\) has no END line/],
    [`${cut}\n${cert}`, /block 1 of 2 \(line 1\) has no END line/],
    [cert.replace("CATE-----", "CATE----"), /block 1 of 1 \(line 1\) has no END line/],
  ])("are refused with the number of what is broken: %j", (text, message) => {
    expect(() => readCertificates(text)).toThrow(message);
  });
});

describe("a private key", () => {
  test("is found after other blocks", () => {
    const { pem } = readPrivateKey(`${cert}\n${key}\n`);
    expect(pem.trim()).toBe(key.trim());
  });

  test.each([
    ["", "is empty"],
    [cert, "has no private key in PEM, only a CERTIFICATE"],
    [encrypted, /is an encrypted key.*openssl pkey -in FILE -out NEW-FILE/],
    [encryptedAsOnce, "is an encrypted key"],
    [`${cert}\n${key.replace(/\n.+\n/, "\n")}`, /block 2 of 2 .* is not a private key/],
    [key.slice(0, 100), "has no END line"],
  ])("is refused with the reason: %j", (text, message) => {
    expect(() => readPrivateKey(text)).toThrow(message);
  });
});

describe("a certificate and a key", () => {
  const privateKey = readPrivateKey(key);
  const pairFault = (text: string) => findPairFault(readCertificates(text), privateKey);

  test("belong together, followed by the issuers", () => {
    expect(pairFault(cert)).toBeUndefined();
    expect(pairFault(`${cert}\n${authority.cert}`)).toBeUndefined();
  });

  test("in the wrong order are blamed on the chain, not on the key", () => {
    expect(pairFault(`${authority.cert}\n${cert}`)).toEqual({
      part: "cert",
      message: expect.stringContaining("the certificate of the key is number 2 of 2 and has to be the first"),
    });
  });

  test("that do not belong together are blamed on the key", () => {
    expect(pairFault(other.cert)).toEqual({ part: "key", message: "is not the key of the certificate" });
  });
});
