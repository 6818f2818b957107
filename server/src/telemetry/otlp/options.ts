/** Where traces and metrics are sent, by OTLP over HTTP in protobuf. */
export interface OtlpOptions {
  /** Base URL of the receiver, such as `http://localhost:4318`; `/v1/traces` and `/v1/metrics` are added. */
  readonly endpoint: string;
  /** Part of the traces that begin here that is recorded, from 0 to 1. A caller's own decision holds. Default 1. */
  readonly sampleRatio?: number | undefined;
  /** Time for one export with its retries, in milliseconds. Default 10 s. */
  readonly exportTimeoutMs?: number | undefined;
}
