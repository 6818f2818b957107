import type { Registry } from "@bufbuild/protobuf";
import type { ConnectRouter, ConnectRouterOptions, HandlerContext } from "@connectrpc/connect";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import type { Logger } from "pino";
import type { Streams } from "../service/streams.ts";
import type { Users } from "../service/users.ts";
import { createAuthGate } from "./auth/gate.ts";
import { type Permissions, rollcallPermissions } from "./auth/permissions.ts";
import type { TokenVerifier } from "./auth/token-verifier.ts";
import { callKey, connectionKey, principalKey } from "./context.ts";
import { createDeadlineInterceptor } from "./interceptors/deadline.ts";
import { createMalformedRequestsInterceptor } from "./interceptors/malformed-requests.ts";
import { createRecoveryInterceptor } from "./interceptors/recovery.ts";
import { createValidationInterceptor } from "./interceptors/validation.ts";
import type { CallObserver, CallRecord } from "./record/call-record.ts";
import { observeCalls } from "./record/observe-calls.ts";
import { answerFaults } from "./stages/answer-faults.ts";
import { assembleBodies } from "./stages/assemble-body.ts";
import { createDeadlineStage } from "./stages/bound-deadline.ts";
import { createCodingLine } from "./stages/coding-work.ts";
import { acceptCompression } from "./stages/compression.ts";
import { normalizeCodings, refuseUnknownCoding } from "./stages/content-coding.ts";
import { explainRefusals } from "./stages/explain-refusals.ts";
import { checkGetRequest } from "./stages/get-request.ts";
import { normalizeMediaType } from "./stages/media-type.ts";
import { refusePlainJson } from "./stages/plain-json.ts";
import { mountTwice } from "./stages/twin-router.ts";
import { streamHandlers } from "./stream/handlers.ts";
import { userHandlers } from "./user/handlers.ts";

/**
 * Largest message to the user directory. No valid request has a hundredth of it. A message costs memory and time before
 * its rules refuse it, and a connection may send many at once.
 */
const MAX_USER_MESSAGE_BYTES = 256 * 1_024;

export interface RpcOptions {
  users: Users;
  streams: Streams;
  /** Mounts further services, behind the same gate and interceptors. */
  routes?: ((router: ConnectRouter) => void) | undefined;
  /** Permissions of the further services' methods; one that is not listed is denied. */
  permissions?: Permissions | undefined;
  /** Verifies tokens; false lets everybody in, for tests. */
  auth: TokenVerifier | false;
  /** Whether requests are checked against the rules in their contract. */
  validation: boolean;
  /** Largest message that is accepted, in bytes, before and after decompression. */
  maxMessageBytes: number;
  /** Large messages that are inflated or deflated at once. Default: the number of cores minus one. */
  codingThreads?: number | undefined;
  defaultTimeoutMs: number;
  maxTimeoutMs: number;
  /** Types that JSON needs to read and write google.protobuf.Any. */
  jsonRegistry?: Registry | undefined;
  /** Ends all calls, with its reason, when aborted. */
  shutdownSignal: AbortSignal;
  /** Called one after the other at the end of each call. */
  observers: readonly CallObserver[];
  logger: Logger;
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

export type RpcRoutes = ConnectRouterOptions & { routes(router: ConnectRouter): void };

/**
 * Builds all services with the chain that each call goes through, whatever server carries them. In this order:
 *
 * 1. Record of the call, with its observers at the end (`observeCalls`).
 * 2. A status for failures that no protocol reports (`answerFaults`), and words for bare refusals (`explainRefusals`).
 * 3. Names of media types and codings in the form that Connect knows (`normalizeMediaType`, `normalizeCodings`).
 * 4. Deadline, from the headers on: the client's up to the maximum, else the server's; shutdown (`boundDeadline`).
 * 5. Gate, before the body is read: authentication, authorization, coding, query of a GET.
 * 6. Body in few pieces (`assembleBodies`). Then Connect: decompression, large messages in turn (`lineUpCoding`),
 *    limits, and parsing, of JSON by its author (`mountTwice`).
 * 7. Recovery: errors become those of the table, causes go to the log, and a malformed request is its sender's fault.
 * 8. The call's end, even if its handler does not listen; the token's expiry.
 * 9. Validation by the contract's rules.
 * 10. Handler.
 */
export function createRpcRoutes(options: RpcOptions): RpcRoutes {
  const { auth, logger, observers, validation, jsonRegistry, maxTimeoutMs, now } = options;
  const userMaxBytes = Math.min(options.maxMessageBytes, MAX_USER_MESSAGE_BYTES);
  const permissions = { ...options.permissions, ...rollcallPermissions };
  const authGate = auth && createAuthGate({ verifyToken: auth, permissions, logger });
  const lineUpCoding = createCodingLine(options.codingThreads);
  const boundDeadline = createDeadlineStage(options);
  const routerOptions: ConnectRouterOptions = {
    acceptCompression,
    readMaxBytes: options.maxMessageBytes,
    maxTimeoutMs,
    ...(jsonRegistry && { jsonOptions: { registry: jsonRegistry } }),
    interceptors: [
      createMalformedRequestsInterceptor(),
      createRecoveryInterceptor(),
      createDeadlineInterceptor({ now }),
      ...(validation ? [createValidationInterceptor([UserService, StreamService])] : []),
    ],
    async requestGate(context) {
      const call = context.values.get(callKey);
      if (call) {
        call.protocol = context.protocolName;
        reportOutcome(context, call);
      }
      const { refusal, onAdmitted } = context.values.get(connectionKey);
      if (refusal) throw refusal;
      if (authGate) await authGate(context);
      refuseUnknownCoding(context);
      checkGetRequest(context);
      if (call) call.isReadingRequest = true;
      onAdmitted?.(!authGate || context.values.get(principalKey) !== undefined);
    },
  };
  return {
    ...routerOptions,
    routes(router) {
      mountTwice(router, routerOptions, (twin) => {
        twin.service(UserService, userHandlers(options.users), { readMaxBytes: userMaxBytes });
        twin.service(StreamService, streamHandlers(options.streams));
        options.routes?.(twin);
      });
      for (const [index, handler] of router.handlers.entries()) {
        const maxBytes = handler.service === UserService ? userMaxBytes : options.maxMessageBytes;
        const assembled = refusePlainJson(assembleBodies(lineUpCoding(handler), maxBytes));
        const named = normalizeMediaType(normalizeCodings(boundDeadline(assembled)));
        router.handlers[index] = observeCalls(answerFaults(explainRefusals(named)), { observers, logger });
      }
    },
  };
}

/** Connect's own contexts have `abort`; the type that handlers see does not. */
type AbortableContext = HandlerContext & { abort(reason?: unknown): void };

/**
 * Reports to the record the error with which Connect ends a call: Connect aborts the call's context with the error
 * before it writes it. Failures outside of the interceptors, such as a request that can't be parsed or a response that
 * can't be encoded, show nowhere else. The context's signal does not always show them, since it may have been aborted
 * before.
 */
function reportOutcome(context: HandlerContext, call: CallRecord): void {
  const abortable = context as AbortableContext;
  const { abort } = abortable;
  abortable.abort = (reason) => {
    call.failInProtocol(reason);
    abort.call(abortable, reason);
  };
}
