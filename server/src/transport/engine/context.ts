import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { callKey, principalKey, requestContextKey } from "../../rpc/context.ts";
import type { MethodPlan } from "../../rpc/method-plan.ts";
import type { CallRecord } from "../../rpc/record/call-record.ts";
import type { CallBytes } from "../port/call-bytes.ts";
import { headersOf } from "../port/raw-headers.ts";
import type { Wire } from "./wire.ts";

export interface CallContextOptions {
  plan: MethodPlan;
  protocolName: string;
  verb: string;
  /** Query of the request's target, with its question mark. */
  query: string;
  wire: Wire;
  record: CallRecord;
  /** Whether the client has set a deadline. */
  hasTimeout: boolean;
  /** Returns the counter of the bytes that the call holds. */
  bytes(): CallBytes;
}

/** Context that handlers get with their request. Its parts are created only when they are used. */
export class CallContext implements HandlerContext {
  readonly method: DescMethod;
  readonly protocolName: string;
  readonly requestMethod: string;
  readonly #query: string;
  readonly #wire: Wire;
  readonly #record: CallRecord;
  readonly #hasTimeout: boolean;
  readonly #bytes: () => CallBytes;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;

  constructor({ plan, protocolName, verb, query, wire, record, hasTimeout, bytes }: CallContextOptions) {
    this.method = plan.method;
    this.protocolName = protocolName;
    this.requestMethod = verb;
    this.#query = query;
    this.#wire = wire;
    this.#record = record;
    this.#hasTimeout = hasTimeout;
    this.#bytes = bytes;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get url(): string {
    return `http://localhost/${this.service.typeName}/${this.method.name}${this.#query}`;
  }

  get signal(): AbortSignal {
    return this.#record.signal;
  }

  timeoutMs(): number | undefined {
    return this.#hasTimeout ? this.#record.deadlineAtMs - performance.now() : undefined;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= headersOf(this.#wire.rawHeaders);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    if (this.#values) return this.#values;
    const { requestId, peer, address, principal } = this.#record;
    this.#values = createContextValues()
      .set(requestContextKey, {
        requestId,
        peer,
        address,
        keep: (deltaBytes) => this.#bytes().keep(deltaBytes),
        room: (bytes) => this.#bytes().room(bytes),
      })
      .set(callKey, this.#record)
      .set(principalKey, principal);
    return this.#values;
  }

  /** Headers that a handler has set; undefined if no handler has used them. */
  get ownHeader(): Headers | undefined {
    return this.#responseHeader;
  }

  get ownTrailer(): Headers | undefined {
    return this.#responseTrailer;
  }
}
