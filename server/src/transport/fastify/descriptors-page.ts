import { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { connectionHooks } from "../port/connection-guard.ts";
import { countHeaders } from "../port/raw-headers.ts";
import { CachedText } from "./cached-text.ts";
import { replyError } from "./reply-error.ts";
import { sendCached } from "./serve-reference.ts";

/** Path of the contracts of all mounted services, as a google.protobuf.FileDescriptorSet. */
export const DESCRIPTORS_PATH = "/descriptors.binpb";

/** Facts about a request that its gate decides by. */
export interface ReadingCaller {
  readonly requestId: string;
  readonly authorization: string | undefined;
  readonly authorizationCount: number;
  readonly address: string | undefined;
  readonly certificate: ReturnType<typeof connectionHooks>["certificate"];
}

export interface DescriptorsPageOptions {
  /** Lets a caller read the contracts. @throws ConnectError */
  admit(caller: ReadingCaller): Promise<void>;
  /** Returns the contracts; called once. */
  read(): Uint8Array;
}

/**
 * Registers a page with the contracts, for browsers: reflection has the same, but only as a stream. Browsers cache the
 * page and revalidate it each time.
 */
export function registerDescriptors(app: FastifyInstance, { admit, read }: DescriptorsPageOptions): void {
  let page: CachedText | undefined;
  app.get(DESCRIPTORS_PATH, async (request, reply) => {
    try {
      await admit(callerOf(request));
    } catch (error) {
      const { code, rawMessage, metadata } = ConnectError.from(error);
      const status = codeToHttpStatus(code);
      const retryAfter = metadata.get("retry-after");
      reply.headers({
        "cache-control": "no-store",
        ...(status === 401 && { "www-authenticate": "Bearer" }),
        ...(retryAfter !== null && { "retry-after": retryAfter }),
      });
      return replyError(reply, status, code, rawMessage);
    }
    page ??= new CachedText(read());
    return sendCached(request, reply, "application/x-protobuf", page);
  });
}

function callerOf({ id, headers, caller, raw }: FastifyRequest): ReadingCaller {
  return {
    requestId: id,
    authorization: headers.authorization,
    authorizationCount: countHeaders(raw.rawHeaders, "authorization"),
    address: caller.address,
    certificate: connectionHooks(raw).certificate,
  };
}
