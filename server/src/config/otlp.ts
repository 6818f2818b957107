import type { Reader } from "@rollcall/shared/settings/reader";

/** Where traces and metrics are sent by OTLP over HTTP. */
export interface OtlpConfig {
  readonly endpoint: string;
  /** Share of the traces that begin here that is recorded, from 0 to 1. */
  readonly sampleRatio: number;
}

/** Reads OTEL_EXPORTER_OTLP_ENDPOINT and its related settings. Returns undefined if nothing is to be exported. */
export function parseOtlp(read: Reader, problems: string[]): OtlpConfig | undefined {
  const endpoint = read.text("OTEL_EXPORTER_OTLP_ENDPOINT");
  const ratio = read.text("OTEL_TRACES_SAMPLER_ARG") ?? "1";
  const sampleRatio = Number(ratio);
  if (!/^\d*\.?\d+$/.test(ratio) || sampleRatio > 1) {
    problems.push("OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1, such as 0.05");
  }
  if (endpoint === undefined) return undefined;
  const url = URL.parse(endpoint);
  if (url?.username || url?.password) {
    problems.push("OTEL_EXPORTER_OTLP_ENDPOINT: must have no user name or password; set OTEL_EXPORTER_OTLP_HEADERS");
  } else if (!url || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.hash !== "") {
    problems.push(
      "OTEL_EXPORTER_OTLP_ENDPOINT: must be the URL of an OTLP/HTTP receiver, such as http://localhost:4318",
    );
  }
  return { endpoint, sampleRatio };
}
