import type { Interceptor } from "@connectrpc/connect";
import { randomId } from "../internal/random-id.ts";

/** Ids that the server keeps: printable ASCII without spaces or quotes. */
const VALID = /^[\w.:/+=@-]{1,128}$/;

export interface RequestIdOptions {
  /**
   * Returns the id of the work that this call is part of, such as the request that a server is answering. If it is
   * undefined, or the server would not keep it, a new one is used. Default: always a new one.
   */
  currentId?: (() => string | undefined) | undefined;
}

/** Sends `x-request-id`, which appears in the server's log and answer too. Keeps an id that the call already has. */
export function createRequestIdInterceptor({ currentId }: RequestIdOptions = {}): Interceptor {
  return (next) => (request) => {
    if (!request.header.has("x-request-id")) {
      const id = currentId?.() ?? "";
      request.header.set("x-request-id", VALID.test(id) ? id : randomId());
    }
    return next(request);
  };
}
