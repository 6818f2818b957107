import type { Interceptor } from "@connectrpc/connect";
import { randomId } from "../internal/random-id.ts";

/** The ids that the server keeps: printable ASCII without spaces or quotes. */
const VALID = /^[\w.:/+=@-]{1,128}$/;

export interface RequestIdOptions {
  /**
   * The id of what this call is part of, such as the request that a server is
   * answering; a new one where it is undefined, or not one that the server keeps. Default: always a new one.
   */
  currentId?: (() => string | undefined) | undefined;
}

/** Sends `x-request-id`, which the server's log and answer carry too; one that the call has already is kept. */
export function createRequestIdInterceptor({ currentId }: RequestIdOptions = {}): Interceptor {
  return (next) => (request) => {
    if (!request.header.has("x-request-id")) {
      const id = currentId?.() ?? "";
      request.header.set("x-request-id", VALID.test(id) ? id : randomId());
    }
    return next(request);
  };
}
