declare module "parse-prometheus-text-format" {
  interface Family {
    readonly name: string;
    readonly type: string;
    readonly metrics: readonly { readonly labels?: Record<string, string>; readonly value: string }[];
  }

  /**
   * Parses Prometheus's text format.
   *
   * @throws Error for a line in another format.
   */
  export default function parse(text: string): Family[];
}
