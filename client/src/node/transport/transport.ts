import type { OutgoingHttpHeaders } from "node:http";
import type { DescMessage, DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type Interceptor,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { transformConnectPostToGetRequest } from "@connectrpc/connect/protocol-connect";
import { COMPRESSED, envelope } from "@rollcall/shared/envelope";
import type { CallStart } from "./call.ts";
import type { ClientForm, HeaderInit } from "./forms.ts";
import { MethodPlan, pathOf, type WireOptions } from "./plan.ts";
import { runStreamingCall, runUnaryCall } from "./run-call.ts";
import { StreamCall } from "./stream-call.ts";
import { UnaryCall } from "./unary-call.ts";
import type { Carrier, RequestHead } from "./wire.ts";

export interface CallTransportOptions extends WireOptions {
  readonly form: ClientForm;
  readonly carrier: Carrier;
  /** Outermost first. */
  readonly interceptors: readonly Interceptor[];
}

type AnyInit = MessageInitShape<DescMessage>;

/** A request as it goes to the wire, without its message. */
interface Outgoing {
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly signal: AbortSignal | undefined;
  /** Undefined where the signal has the deadline. */
  readonly timeoutMs: number | undefined;
}

/**
 * Makes calls over a carrier. Without interceptors, a call goes straight from its caller to the wire. With some, it goes
 * through Connect's own chain first, so that they see what they see with any transport.
 */
export class CallTransport implements Transport {
  readonly #options: CallTransportOptions;
  readonly #interceptors: Interceptor[];
  /** One for each method. */
  readonly #plans = new Map<DescMethod, MethodPlan>();

  constructor(options: CallTransportOptions) {
    this.#options = options;
    this.#interceptors = [...options.interceptors];
  }

  readonly unary: Transport["unary"] = (method, signal, timeout, header, message, contextValues) => {
    const plan = this.#planOf(method);
    const timeoutMs = timeoutOf(timeout);
    if (this.#interceptors.length === 0) {
      return this.#sendUnary(plan, this.#outgoing(plan, signal, timeoutMs, header), message) as never;
    }
    const request = {
      ...requestOf(plan, header, timeoutMs),
      stream: false,
      message,
      contextValues: valuesOf(contextValues),
    };
    const scope = { interceptors: this.#interceptors, signal, timeoutMs };
    return runUnaryCall(scope, request as never, (sent) =>
      this.#sendUnary(plan, outgoingOf(plan, sent), sent.message),
    ) as never;
  };

  readonly stream: Transport["stream"] = (method, signal, timeout, header, messages, contextValues) => {
    const plan = this.#planOf(method);
    const timeoutMs = timeoutOf(timeout);
    if (this.#interceptors.length === 0) {
      return this.#openStream(plan, this.#outgoing(plan, signal, timeoutMs, header), messages) as never;
    }
    const request = {
      ...requestOf(plan, header, timeoutMs),
      stream: true,
      message: messages,
      contextValues: valuesOf(contextValues),
    };
    const scope = { interceptors: this.#interceptors, signal, timeoutMs };
    return runStreamingCall(scope, request as never, (sent) =>
      this.#openStream(plan, outgoingOf(plan, sent), sent.message),
    ) as never;
  };

  #planOf(method: DescMethod): MethodPlan {
    let plan = this.#plans.get(method);
    if (!plan) {
      plan = new MethodPlan(method, this.#options.form, this.#options);
      this.#plans.set(method, plan);
    }
    return plan;
  }

  #outgoing(
    plan: MethodPlan,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    init: HeaderInit,
  ): Outgoing {
    const headers = plan.copyHeaders(init) ?? Object.fromEntries(plan.makeHeader(init));
    const { form } = plan;
    if (timeoutMs !== undefined) headers[form.timeoutHeader] = form.timeoutValue(timeoutMs);
    return { path: plan.path, headers, signal, timeoutMs };
  }

  #sendUnary(plan: MethodPlan, outgoing: Outgoing, message: AnyInit): Promise<UnaryResponse> {
    return new Promise((resolve, reject) => {
      const bytes = plan.serialize(message);
      const { sendCompression } = plan.options;
      const carry = (content: Uint8Array, isCompressed: boolean) => {
        const { head, body } = this.#compose(plan, outgoing, content, isCompressed);
        this.#carry(new UnaryCall({ ...startOf(plan, outgoing, head), plan, body, resolve, reject }), outgoing);
      };
      if (sendCompression && plan.isCompressed(bytes)) {
        sendCompression
          .compress(bytes)
          .then((shorter) => carry(shorter, true))
          .catch(reject);
      } else carry(bytes, false);
    });
  }

  /** Puts a unary request together. */
  #compose(
    plan: MethodPlan,
    { path, headers }: Outgoing,
    content: Uint8Array,
    isCompressed: boolean,
  ): { head: RequestHead; body: Uint8Array | undefined } {
    const { form, options, method } = plan;
    if (form.isUnaryEnveloped) {
      return { head: { verb: "POST", path, headers }, body: envelope(isCompressed ? COMPRESSED : 0, content) };
    }
    // Without envelopes, the header alone says whether the body is compressed.
    if (!isCompressed) delete headers[form.encodingHeader("unary")];
    if (!plan.usesGet) return { head: { verb: "POST", path, headers }, body: content };
    const header = new Headers(headers as Record<string, string>);
    const url = new URL(path, plan.url).href;
    const get = transformConnectPostToGetRequest({ url, header, method } as never, content, options.useBinaryFormat);
    return { head: { verb: "GET", path: pathOf(get.url), headers: Object.fromEntries(get.header) }, body: undefined };
  }

  #openStream(plan: MethodPlan, outgoing: Outgoing, messages: AsyncIterable<AnyInit>): Promise<StreamResponse> {
    return new Promise((resolve, reject) => {
      const { path, headers } = outgoing;
      const start = startOf(plan, outgoing, { verb: "POST", path, headers });
      this.#carry(new StreamCall({ ...start, plan, messages, resolve, reject }), outgoing);
    });
  }

  #carry(call: UnaryCall | StreamCall, { signal }: Outgoing): void {
    if (signal?.aborted) call.abort(ConnectError.from(signal.reason, Code.Canceled));
    else this.#options.carrier.carry(call);
  }
}

/** Without a time, or with 0, a call has no deadline. */
function timeoutOf(timeoutMs: number | undefined): number | undefined {
  return timeoutMs === undefined || timeoutMs <= 0 ? undefined : timeoutMs;
}

function requestOf(plan: MethodPlan, init: HeaderInit, timeoutMs: number | undefined) {
  const { method, url, form } = plan;
  const header = plan.makeHeader(init);
  if (timeoutMs !== undefined) header.set(form.timeoutHeader, form.timeoutValue(timeoutMs));
  return { service: method.parent, method, requestMethod: "POST", url, header };
}

/** Returns the request that interceptors have let through. */
function outgoingOf(
  plan: MethodPlan,
  { url, header, signal }: { readonly url: string; readonly header: Headers; readonly signal: AbortSignal },
): Outgoing {
  const path = url === plan.url ? plan.path : pathOf(url);
  return { path, headers: Object.fromEntries(header), signal, timeoutMs: undefined };
}

function startOf({ form }: MethodPlan, { signal, timeoutMs, headers }: Outgoing, head: RequestHead): CallStart {
  // Interceptors may have changed it.
  const sent = headers[form.timeoutHeader];
  return {
    head,
    signal,
    timeoutMs,
    serverTimeoutMs: sent === undefined ? undefined : Number.parseInt(String(sent), 10),
  };
}

function valuesOf(values: ContextValues | undefined): ContextValues {
  return values ?? createContextValues();
}
