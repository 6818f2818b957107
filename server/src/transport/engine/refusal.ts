import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { EXPLANATION_TYPE } from "../../rpc/stages/explain-refusals.ts";
import { Call } from "./call.ts";
import type { CallForm } from "./forms.ts";

/** Headers of an answer that no cache may keep: an error of a GET. */
export const NOT_KEPT: readonly string[] = ["cache-control", "no-store"];

/** Form of a request that belongs to none of the protocols. */
export interface RefusalForm extends CallForm {
  readonly protocol: undefined;
}

export interface RefusalOptions {
  /** HTTP status; it is the whole answer as far as the protocol is concerned. */
  status: number;
  /** Headers of the answer: names and values in turn. */
  headers: readonly string[];
  /** Whether the answer to this HTTP method has a body. */
  hasBody: boolean;
}

/** Creates the form in which a request is refused. The error is explained to people, as Connect's JSON. */
export function createRefusalForm({ status, headers: own, hasBody }: RefusalOptions): RefusalForm {
  return {
    protocol: undefined,
    encodingHeader: "",
    acceptHeader: "",
    endFlag: 0,
    codecOf: (plan) => plan.json,
    parseTimeout: () => ({}),
    sendError(wire, headers, error) {
      const body = errorToJsonBytes(error, undefined);
      headers.push("content-type", EXPLANATION_TYPE, "content-length", String(body.byteLength), ...own);
      if (!hasBody) {
        wire.respondAndEnd(status, headers);
        return 0;
      }
      wire.respond(status, headers);
      wire.end(body);
      return body.byteLength;
    },
  };
}

/** Call that ends before its gate, with the refusal from its options. */
export class RefusedCall extends Call<RefusalForm> {
  get isStream(): boolean {
    return this.options.plan.method.methodKind !== "unary";
  }

  protected begin(): void {}

  onData(): void {}

  protected onReceived(): void {}

  protected override headers(): string[] {
    const headers = super.headers();
    return this.options.verb === "GET" ? [...headers, ...NOT_KEPT] : headers;
  }

  protected writeError(error: Parameters<RefusalForm["sendError"]>[2]): void {
    const { form, wire, record } = this.options;
    record.responseBytes = form.sendError(wire, this.headers(), error, undefined);
  }

  protected release(): void {}
}
