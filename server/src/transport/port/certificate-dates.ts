import type { X509Certificate } from "node:crypto";
import { PemError, readCertificates } from "@rollcall/pem";
import type { Logger } from "pino";
import type { TlsOptions } from "./servers.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
/** A certificate with less time left gets a warning. Automatic renewal has replaced a certificate by then. */
const SOON_MS = 14 * DAY_MS;
/** The same, as a part of the certificate's whole life, for those that live for days only. */
const SOON_PART = 1 / 4;
/** Certificates of a bundle that one line names, by their numbers. */
const MAX_NUMBERS = 10;

export interface CertificateDatesOptions {
  tls: TlsOptions;
  logger: Logger;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
}

export interface CertificateDates {
  /** Checks the dates now, and once a day until `stop`. */
  start(): void;
  stop(): void;
  /**
   * Puts other certificates in the place of those that are watched, and checks them at once.
   *
   * @param serve Begins to serve them.
   * @throws PemError when the server's own has expired, and what `serve` throws. Nothing is replaced then.
   */
  replace(tls: TlsOptions, serve: () => void): void;
}

/**
 * Warns of certificates that have expired, expire soon, or are not valid yet. Checks the server's own with its chain,
 * and the client authorities. Clients refuse a server with such a certificate without saying why.
 *
 * @throws PemError when one of them can't be read.
 */
export function watchCertificateDates({ tls, logger, now }: CertificateDatesOptions): CertificateDates {
  let sources = sourcesOf(tls);
  const check = () => {
    for (const { of, certificates } of sources) {
      const states = certificates.map((certificate) => certificateState(certificate, now()));
      for (const [state, { level, message }] of Object.entries(WARNINGS)) {
        const numbers = states.flatMap((each, index) => (each === state ? [index] : []));
        const concerned = numbers.map((index) => certificates[index] as X509Certificate);
        if (concerned.length === 0) continue;
        logger[level](
          {
            of,
            certificates: numbers.slice(0, MAX_NUMBERS).map((index) => index + 1),
            count: concerned.length,
            notBefore: isoTime(Math.max(...concerned.map(({ validFromDate }) => validFromDate.getTime()))),
            notAfter: isoTime(Math.min(...concerned.map(({ validToDate }) => validToDate.getTime()))),
          },
          message,
        );
      }
    }
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      check();
      timer ??= setInterval(check, DAY_MS).unref();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
    replace(replacement, serve) {
      const replacements = sourcesOf(replacement);
      const [own] = replacements[0]?.certificates ?? [];
      if (own && certificateState(own, now()) === "expired") throw new PemError("the new certificate has expired");
      serve();
      sources = replacements;
      check();
    },
  };
}

function sourcesOf({ cert, clientCa }: TlsOptions): { of: string; certificates: X509Certificate[] }[] {
  return Object.entries({ server: cert, clientCa }).flatMap(([of, pem]) =>
    pem === undefined ? [] : [{ of, certificates: readCertificates(pem.toString()) }],
  );
}

type CertificateState = "expired" | "notYetValid" | "expiresSoon";

const WARNINGS: Readonly<Record<CertificateState, { level: "error" | "warn"; message: string }>> = {
  expired: { level: "error", message: "certificate has expired" },
  notYetValid: { level: "error", message: "certificate is not valid yet" },
  expiresSoon: { level: "warn", message: "certificate expires soon" },
};

/** Returns what is wrong with the dates of a certificate; undefined if nothing is. */
export function certificateState(
  { validFromDate, validToDate }: X509Certificate,
  nowMs: number,
): CertificateState | undefined {
  const [fromMs, toMs] = [validFromDate.getTime(), validToDate.getTime()];
  if (nowMs > toMs) return "expired";
  if (nowMs < fromMs) return "notYetValid";
  return toMs - nowMs < Math.min(SOON_MS, (toMs - fromMs) * SOON_PART) ? "expiresSoon" : undefined;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
