/** Where traces and metrics are sent, by OTLP over HTTP in protobuf. */
export interface OtlpOptions {
  /** Base URL of the receiver, such as `http://localhost:4318`; `/v1/traces` and `/v1/metrics` are added. */
  readonly endpoint: string;
  /**
   * Share of the traces that begin here that is recorded, from 0 to 1. If a caller has decided for its trace, that
   * counts. Default 1.
   */
  readonly sampleRatio?: number | undefined;
  /** Time for one export with its retries, in milliseconds. Default 10 s. */
  readonly exportTimeoutMs?: number | undefined;
}
