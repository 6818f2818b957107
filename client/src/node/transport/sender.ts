import type { OutgoingHttpHeaders } from "node:http";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse, type UnaryResponse } from "@connectrpc/connect";
import { transformConnectPostToGetRequest } from "@connectrpc/connect/protocol-connect";
import { COMPRESSED, envelope } from "@rollcall/shared/envelope";
import { MAX_GET_URL_LENGTH } from "../../internal/max-get-url.ts";
import type { CallStart } from "./call.ts";
import { type MethodPlan, pathOf } from "./plan.ts";
import { StreamCall } from "./stream-call.ts";
import { UnaryCall } from "./unary-call.ts";
import type { Carrier, RequestHead } from "./wire.ts";

const ACCEPT = "accept-encoding";

export type AnyInit = MessageInitShape<DescMessage>;

/** A request for the wire, without its message. */
export interface Outgoing {
  readonly plan: MethodPlan;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly signal: AbortSignal | undefined;
  /** Undefined if the signal has the deadline. */
  readonly timeoutMs: number | undefined;
  /** Time that the headers give the server, in milliseconds. */
  readonly serverTimeoutMs: number | undefined;
}

/** Receives the outcome of a call. */
export interface Outcome<Response> {
  readonly resolve: (response: Response) => void;
  readonly reject: (error: ConnectError) => void;
}

/** Makes calls over a carrier, with the given headers. */
export class Sender {
  readonly #carrier: Carrier;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  sendUnary(outgoing: Outgoing, message: AnyInit, outcome: Outcome<UnaryResponse>): void {
    const { plan } = outgoing;
    try {
      const bytes = plan.serialize(message);
      const { sendCompression } = plan.options;
      if (sendCompression && plan.isCompressed(bytes)) {
        sendCompression
          .compress(bytes)
          .then((shorter) => this.#carryUnary(outgoing, shorter, true, outcome))
          .catch((error: unknown) => outcome.reject(ConnectError.from(error)));
      } else this.#carryUnary(outgoing, bytes, false, outcome);
    } catch (error) {
      outcome.reject(ConnectError.from(error));
    }
  }

  /** @param onFailed Called with the error of a stream that has failed, whether or not it was open. */
  openStream(
    outgoing: Outgoing,
    messages: AsyncIterable<AnyInit>,
    { resolve, reject }: Outcome<StreamResponse>,
    onFailed?: (error: ConnectError) => void,
  ): void {
    const { plan, path, headers } = outgoing;
    const start = startOf(outgoing, { verb: "POST", path, headers });
    this.#carry(new StreamCall({ ...start, plan, messages, resolve, reject, onFailed }), outgoing);
  }

  #carryUnary(outgoing: Outgoing, content: Uint8Array, isCompressed: boolean, outcome: Outcome<UnaryResponse>): void {
    const { plan, path, headers } = outgoing;
    const { form } = plan;
    let head: RequestHead = { verb: "POST", path, headers };
    let body: Uint8Array | undefined = content;
    if (form.isUnaryEnveloped) body = envelope(isCompressed ? COMPRESSED : 0, content);
    else {
      // Without envelopes, only the header says whether the body is compressed.
      if (!isCompressed && plan.options.sendCompression) delete headers[form.encodingHeader("unary")];
      const get = plan.usesGet ? headOfGet(outgoing, content) : undefined;
      if (get) {
        head = get;
        body = undefined;
      }
    }
    this.#carry(new UnaryCall(startOf(outgoing, head), plan, body, outcome), outgoing);
  }

  #carry(call: UnaryCall | StreamCall, { signal }: Outgoing): void {
    if (signal?.aborted) call.abort(ConnectError.from(signal.reason, Code.Canceled));
    else this.#carrier.carry(call);
  }
}

/** Returns the head of a read by GET; undefined if it would be too long. */
function headOfGet({ plan, path, headers }: Outgoing, content: Uint8Array): RequestHead | undefined {
  const { method, options } = plan;
  const header = new Headers(headers as Record<string, string>);
  const url = new URL(path, plan.url).href;
  const get = transformConnectPostToGetRequest({ url, header, method } as never, content, options.useBinaryFormat);
  if (get.url.length > MAX_GET_URL_LENGTH) return undefined;
  const accepted = headers[ACCEPT];
  return {
    verb: "GET",
    path: pathOf(get.url),
    // Connect's function leaves this one to `fetch`.
    headers: { ...Object.fromEntries(get.header), ...(accepted !== undefined && { [ACCEPT]: accepted }) },
  };
}

function startOf({ signal, timeoutMs, serverTimeoutMs }: Outgoing, head: RequestHead): CallStart {
  return { head, signal, timeoutMs, serverTimeoutMs };
}
