import type { OutgoingHttpHeaders } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import type { DescMethod } from "@bufbuild/protobuf";
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
import { checkHeaders } from "../../internal/checked-headers.ts";
import { explainDeadline, spentMsKey } from "../../retry/last-fault.ts";
import { boundTimeout } from "../../transports/timeout.ts";
import type { FastPath } from "../fast-path.ts";
import { closedError } from "../http/open-socket.ts";
import type { ClientForm, HeaderInit } from "./forms.ts";
import { toCopyable } from "./lazy-response.ts";
import { MethodPlan, pathOf, type WireOptions } from "./plan.ts";
import { runStreamingCall, runUnaryCall } from "./run-call.ts";
import { type AnyInit, type Outcome, type Outgoing, Sender } from "./sender.ts";
import type { Carrier } from "./wire.ts";

export interface CallTransportOptions extends WireOptions {
  readonly form: ClientForm;
  readonly carrier: Carrier;
  /** Outermost first. */
  readonly interceptors: readonly Interceptor[];
  /** Bypasses the interceptors for calls that succeed. */
  readonly fastPath: FastPath | undefined;
  /** Deadline of unary calls that set none, in milliseconds. */
  readonly timeoutMs: number | undefined;
}

/** A call as its caller makes it. */
interface Call<Message> {
  readonly plan: MethodPlan;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: HeaderInit;
  readonly message: Message;
  readonly values: ContextValues | undefined;
}

/**
 * Makes calls over a carrier. Without interceptors, or by the fast path, a call goes straight from its caller to the
 * wire. Otherwise it first goes through Connect's own chain, so that interceptors see the same as with any other
 * transport.
 */
export class CallTransport implements Transport {
  readonly #options: CallTransportOptions;
  readonly #interceptors: Interceptor[];
  readonly #sender: Sender;
  /** One for each method. */
  readonly #plans = new Map<DescMethod, MethodPlan>();
  #isClosed = false;

  constructor(options: CallTransportOptions) {
    this.#options = options;
    this.#interceptors = [...options.interceptors];
    this.#sender = new Sender(options.carrier);
  }

  readonly unary: Transport["unary"] = (method, signal, timeoutMs, header, message, values) =>
    new Promise((resolve, reject) => {
      if (this.#isClosed) throw closedError();
      const known = timeoutOf(timeoutMs ?? this.#options.timeoutMs);
      const call = { plan: this.#planOf(method), signal, timeoutMs: known, header, message, values };
      this.#startUnary(call, { resolve: resolve as (response: UnaryResponse) => void, reject });
    });

  readonly stream: Transport["stream"] = (method, signal, timeoutMs, header, message, values) =>
    new Promise((resolve, reject) => {
      if (this.#isClosed) throw closedError();
      const known = timeoutOf(timeoutMs);
      const call = { plan: this.#planOf(method), signal, timeoutMs: known, header, message, values };
      this.#startStream(call, { resolve: resolve as (response: StreamResponse) => void, reject });
    });

  /** Closes the carrier once the calls of this turn of the event loop are sent. */
  readonly close = async (): Promise<void> => {
    this.#isClosed = true;
    await turn();
    await this.#options.carrier.close();
  };

  /** @throws ConnectError for headers that can't be sent. */
  #startUnary(call: Call<AnyInit>, outcome: Outcome<UnaryResponse>): void {
    const { plan, header, message } = call;
    const { fastPath } = this.#options;
    if (header !== undefined) checkHeaders(header);
    const headers = plan.copyHeaders(header);
    if (this.#interceptors.length === 0) {
      this.#sender.sendUnary(outgoingTo(call, headers ?? plan.listHeaders(header)), message, outcome);
    } else if (headers && fastPath?.addHeaders(headers)) this.#sendFast(call, headers, fastPath, outcome);
    else this.#runUnary(call).then(outcome.resolve, outcome.reject);
  }

  #sendFast(
    call: Call<AnyInit>,
    headers: OutgoingHttpHeaders,
    fastPath: FastPath,
    { resolve, reject }: Outcome<UnaryResponse>,
  ): void {
    const { signal, timeoutMs, message } = call;
    const startedAtMs = performance.now();
    this.#sender.sendUnary(outgoingTo(call, headers), message, {
      resolve(response) {
        fastPath.succeeded();
        resolve(response);
      },
      reject: (error) => {
        const spentMs = performance.now() - startedAtMs;
        const leftMs = timeoutMs && timeoutMs - spentMs;
        if (signal?.aborted) reject(ConnectError.from(signal.reason, Code.Canceled));
        else if (leftMs !== undefined && leftMs < 1) reject(error);
        else {
          const requestId = String(headers["x-request-id"]);
          this.#runUnary({ ...call, timeoutMs: leftMs }, { error, requestId, spentMs }).then(resolve, reject);
        }
      },
    });
  }

  /** @param failed A failed first attempt, which the interceptors see as their own. */
  async #runUnary(
    call: Call<AnyInit>,
    failed?: { readonly error: ConnectError; readonly requestId: string; readonly spentMs: number },
  ): Promise<UnaryResponse> {
    const { signal, timeoutMs, message, values = createContextValues() } = call;
    const request = { ...requestOf(call), stream: false, message, contextValues: values };
    values.set(spentMsKey, failed?.spentMs ?? 0);
    if (failed) request.header.set("x-request-id", failed.requestId);
    let firstError = failed?.error;
    const scope = { interceptors: this.#interceptors, signal, timeoutMs };
    try {
      return await runUnaryCall(scope, request as never, (sent) => {
        const error = firstError;
        firstError = undefined;
        return new Promise((resolve, reject) => {
          if (error) reject(error);
          else {
            const outcome = { resolve: (response: UnaryResponse) => resolve(toCopyable(response)), reject };
            this.#sender.sendUnary(outgoingOf(call.plan, sent), sent.message, outcome);
          }
        });
      });
    } catch (error) {
      throw explainDeadline(error, values);
    }
  }

  /** @throws ConnectError for headers that can't be sent. */
  #startStream(call: Call<AsyncIterable<AnyInit>>, outcome: Outcome<StreamResponse>): void {
    const { plan, header, message, signal } = call;
    const { fastPath } = this.#options;
    if (header !== undefined) checkHeaders(header);
    const headers = plan.copyHeaders(header);
    if (this.#interceptors.length === 0) {
      this.#sender.openStream(outgoingTo(call, headers ?? plan.listHeaders(header)), message, outcome);
    } else if (headers && fastPath?.addHeaders(headers)) {
      const reject = (error: ConnectError) =>
        outcome.reject(signal?.aborted ? ConnectError.from(signal.reason, Code.Canceled) : error);
      const onFailed = (error: ConnectError) => fastPath.streamFailed(error, headers);
      this.#sender.openStream(outgoingTo(call, headers), message, { ...outcome, reject }, onFailed);
    } else this.#runStream(call).then(outcome.resolve, outcome.reject);
  }

  async #runStream(call: Call<AsyncIterable<AnyInit>>): Promise<StreamResponse> {
    const { signal, timeoutMs, message, values = createContextValues() } = call;
    const request = { ...requestOf(call), stream: true, message, contextValues: values };
    const scope = { interceptors: this.#interceptors, signal, timeoutMs };
    try {
      return await runStreamingCall(
        scope,
        request as never,
        (sent) =>
          new Promise((resolve, reject) => {
            this.#sender.openStream(outgoingOf(call.plan, sent), sent.message, { resolve, reject });
          }),
      );
    } catch (error) {
      throw explainDeadline(error, values);
    }
  }

  #planOf(method: DescMethod): MethodPlan {
    let plan = this.#plans.get(method);
    if (!plan) {
      plan = new MethodPlan(method, this.#options.form, this.#options);
      this.#plans.set(method, plan);
    }
    return plan;
  }
}

/** Returns the deadline; undefined for a call without one, or with 0. */
function timeoutOf(timeoutMs: number | undefined): number | undefined {
  return timeoutMs === undefined || timeoutMs <= 0 ? undefined : boundTimeout(timeoutMs);
}

/** Returns the request of a call that no interceptor sees. */
function outgoingTo({ plan, signal, timeoutMs }: Call<unknown>, headers: OutgoingHttpHeaders): Outgoing {
  const { form, path } = plan;
  if (timeoutMs !== undefined) headers[form.timeoutHeader] = form.timeoutValue(timeoutMs);
  const sent = headers[form.timeoutHeader];
  return { plan, path, headers, signal, timeoutMs, serverTimeoutMs: timeoutMs ?? toMs(sent) };
}

function requestOf({ plan, header: init, timeoutMs }: Call<unknown>) {
  const { method, url, form } = plan;
  const header = plan.makeHeader(init);
  if (timeoutMs !== undefined) header.set(form.timeoutHeader, form.timeoutValue(timeoutMs));
  return { service: method.parent, method, requestMethod: "POST", url, header };
}

/** Returns the request that the interceptors have passed on. */
function outgoingOf(
  plan: MethodPlan,
  { url, header, signal }: { readonly url: string; readonly header: Headers; readonly signal: AbortSignal },
): Outgoing {
  const path = url === plan.url ? plan.path : pathOf(url);
  const headers = Object.fromEntries(header);
  // Interceptors may have changed it.
  const serverTimeoutMs = toMs(headers[plan.form.timeoutHeader]);
  return { plan, path, headers, signal, timeoutMs: undefined, serverTimeoutMs };
}

/** Reads the header of a deadline. */
function toMs(timeout: OutgoingHttpHeaders[string]): number | undefined {
  return timeout === undefined ? undefined : Number.parseInt(String(timeout), 10);
}
