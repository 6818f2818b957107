import type { IncomingHttpHeaders } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import type { UnaryResponse } from "@connectrpc/connect";
import { trailerDemux } from "@connectrpc/connect/protocol-connect";
import { toWebHeaders } from "../http/headers.ts";
import type { MethodPlan } from "./plan.ts";

/** Response of a unary call. Its headers are created when they are first read, which few callers do. */
export class LazyResponse implements UnaryResponse {
  readonly stream = false;
  readonly service: UnaryResponse["service"];
  readonly method: UnaryResponse["method"];
  readonly message: Message;
  readonly #headers: IncomingHttpHeaders;
  readonly #trailers: IncomingHttpHeaders | undefined;
  #made: readonly [header: Headers, trailer: Headers] | undefined;

  /** @param trailers Undefined for Connect, whose trailers are among its headers. */
  constructor(
    { method }: MethodPlan,
    message: Message,
    headers: IncomingHttpHeaders,
    trailers: IncomingHttpHeaders | undefined,
  ) {
    this.service = method.parent;
    this.method = method as UnaryResponse["method"];
    this.message = message;
    this.#headers = headers;
    this.#trailers = trailers;
  }

  get header(): Headers {
    return this.#make()[0];
  }

  get trailer(): Headers {
    return this.#make()[1];
  }

  #make(): readonly [header: Headers, trailer: Headers] {
    if (this.#made) return this.#made;
    const header = toWebHeaders(this.#headers);
    this.#made = this.#trailers ? [header, toWebHeaders(this.#trailers)] : trailerDemux(header);
    return this.#made;
  }
}

/**
 * Returns the same response with its headers as own properties, so that they are part of copies, as interceptors make
 * them.
 */
export function toCopyable(response: UnaryResponse): UnaryResponse {
  if (!(response instanceof LazyResponse)) return response;
  const { stream, service, method, message } = response;
  return {
    stream,
    service,
    method,
    message,
    get header() {
      return response.header;
    },
    get trailer() {
      return response.trailer;
    },
  };
}
