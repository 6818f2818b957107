import { readCertificates } from "@rollcall/pem";
import type { TlsConfig } from "../../config/tls.ts";
import { certificateState } from "../../transport/port/certificate-dates.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

/** Checks the dates of the server's certificate, its chain, and the client authorities. */
export function checkCertificates(tls: TlsConfig | undefined, nowMs: number): Finding[] {
  if (!tls) return [];
  const files = { TLS_CERT_FILE: tls.cert, ...(tls.clientCa !== undefined && { TLS_CLIENT_CA_FILE: tls.clientCa }) };
  return Object.entries(files).flatMap(([name, pem]) =>
    readCertificates(pem).map((certificate, index) => {
      const of = `certificate ${index + 1} of ${name}`;
      const [from, to] = [certificate.validFromDate, certificate.validToDate].map((date) => date.toISOString());
      const days = Math.floor((certificate.validToDate.getTime() - nowMs) / DAY_MS);
      switch (certificateState(certificate, nowMs)) {
        case "expired":
          return fail(`${of} has expired on ${to}: renew it`);
        case "notYetValid":
          return fail(`${of} is not valid before ${from}: check the clock, or wait`);
        case "expiresSoon":
          return warn(`${of} expires on ${to}, in ${days} days: renew it; a running server reads it by itself`);
        default:
          return ok(`${of} is good for ${days} days`);
      }
    }),
  );
}
