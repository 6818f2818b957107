import type { DescMethod, DescService, Registry } from "@bufbuild/protobuf";
import type { ConnectRouter, ConnectRouterOptions, HandlerContext, MethodImpl } from "@connectrpc/connect";
import type { UniversalHandlerOptions } from "@connectrpc/connect/protocol";
import { ServerReflection } from "@rollcall/gen/grpc/reflection/v1/reflection";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { abortable } from "@rollcall/shared/abortable";
import { methodName } from "@rollcall/shared/method-name";
import type { Logger } from "pino";
import { MAX_USER_MESSAGE_BYTES, type OpenStreamLimits } from "../limits.ts";
import type { Readiness } from "../service/readiness.ts";
import type { Streams } from "../service/streams.ts";
import type { UserChanges } from "../service/user-changes.ts";
import type { Users } from "../service/users.ts";
import type { ClientScopes } from "./auth/client-certificate.ts";
import { createAuthGate, createOpenGate, type Gate, type GatedCall } from "./auth/gate.ts";
import { type Permission, type Permissions, readPermissions } from "./auth/permissions.ts";
import { createRateLimits, type RateLimitOptions } from "./auth/rate-limits.ts";
import { createStreamLimits, type StreamLimitOptions } from "./auth/stream-limits.ts";
import type { TokenVerifier } from "./auth/token-verifier.ts";
import { callKey, principalKey, requestContextKey } from "./context.ts";
import { intercept } from "./intercept.ts";
import { createDeadlineInterceptor } from "./interceptors/deadline.ts";
import { createMalformedRequestsInterceptor } from "./interceptors/malformed-requests.ts";
import { createMessageLimitInterceptor } from "./interceptors/message-limit.ts";
import { createRecoveryInterceptor } from "./interceptors/recovery.ts";
import { createValidate, createValidationInterceptor, type Validate } from "./interceptors/validation.ts";
import { createMethodPlan, type Implementation, type MethodPlan } from "./method-plan.ts";
import type { OpenStreams } from "./open-streams.ts";
import { createOperatorServices } from "./operator-services.ts";
import type { CallObserver, CallRecord } from "./record/call-record.ts";
import type { TraceCall } from "./record/call-trace.ts";
import { observeCalls } from "./record/observe-calls.ts";
import { answerFaults } from "./stages/answer-faults.ts";
import { assembleBodies } from "./stages/assemble-body.ts";
import { createDeadlineStage } from "./stages/bound-deadline.ts";
import { type CodingLine, createCodingLine } from "./stages/coding-work.ts";
import { acceptCompression } from "./stages/compression.ts";
import { normalizeCodings, refuseUnknownCoding } from "./stages/content-coding.ts";
import { explainRefusals } from "./stages/explain-refusals.ts";
import { checkGetRequest } from "./stages/get-request.ts";
import { normalizeMediaType } from "./stages/media-type.ts";
import { refusePlainJson } from "./stages/plain-json.ts";
import { mountTwice } from "./stages/twin-router.ts";
import { tagReads } from "./stages/unchanged-read.ts";
import { keepNothing, streamHandlers } from "./stream/handlers.ts";
import { userHandlers } from "./user/handlers.ts";

export interface RpcOptions {
  users: Users;
  changes: UserChanges;
  streams: Streams;
  /** Mounts further services, behind the same gate and interceptors. */
  routes?: ((router: ConnectRouter) => void) | undefined;
  /** Permissions of the further services' methods that have none in their contract. A method without any is denied. */
  permissions?: Permissions | undefined;
  /** Verifies tokens; false lets everybody in, for tests. */
  auth: TokenVerifier | false;
  /** Limits calls by their callers. */
  rateLimit: RateLimitOptions;
  streamLimit: StreamLimitOptions;
  /** Returns the scopes of clients that need no token, by their certificates' identities. Default: none. */
  clientScopes?: (() => ClientScopes | undefined) | undefined;
  /** Whether requests are checked against the rules in their contract. */
  validation: boolean;
  /** Largest message that is accepted, in bytes, before and after decompression. */
  maxMessageBytes: number;
  /** Large messages that are inflated or deflated at the same time. Default: the number of cores minus one. */
  codingThreads?: number | undefined;
  defaultTimeoutMs: number;
  maxTimeoutMs: number;
  /** Types that JSON needs to read and write google.protobuf.Any. */
  jsonRegistry?: Registry | undefined;
  readiness: Readiness;
  /**
   * Callers that may read the contracts by reflection: everybody ("open"), callers with any token ("token"), or nobody ("off").
   */
  reflection: "open" | "token" | "off";
  openStreams?: Partial<OpenStreamLimits> | undefined;
  /** Ends streams that would stay open for ever, with its reason, when aborted. */
  closingSignal: AbortSignal;
  /** Ends all calls, with its reason, when aborted. */
  shutdownSignal: AbortSignal;
  /** Called one after the other at the end of each call. */
  observers: readonly CallObserver[];
  /** Opens the trace of each call. */
  traceCall: TraceCall;
  logger: Logger;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
}

export type RpcRoutes = ConnectRouterOptions & {
  routes(router: ConnectRouter): void;
  /** Returns the permission that a method's callers need; undefined for a denied method. */
  permissionOf(method: DescMethod): Permission | undefined;
  /** Contracts of all mounted services, for those who may call reflection. */
  readonly descriptors: {
    /** Decides like the gate for a call of reflection. @throws ConnectError */
    admit(caller: Omit<GatedCall, "method" | "record" | "isStream">): Promise<void>;
    /** Returns the contracts as a google.protobuf.FileDescriptorSet. */
    read(): Uint8Array;
  };
  /** The same services and steps, for calls that Connect does not carry. */
  readonly direct: DirectChain;
};

/** Steps of the chain as functions, and the plan composed of them for each method once it is mounted. */
export interface DirectChain {
  /** Plans by path. */
  readonly plans: ReadonlyMap<string, MethodPlan>;
  readonly gate: Gate;
  /** Whether everybody is let in. */
  readonly isOpen: boolean;
  readonly validate: Validate;
  readonly openStreams: OpenStreams;
  readonly codingLine: CodingLine;
  readonly maxTimeoutMs: number;
  readonly shutdownSignal: AbortSignal;
  readonly observers: readonly CallObserver[];
  readonly traceCall: TraceCall;
  readonly logger: Logger;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
}

/**
 * Builds all services, with the chain that each call goes through, for any server that carries them. Its order:
 *
 * 1. Record of the call; its observers are called at the end (`observeCalls`).
 * 2. A status for failures outside of any protocol, or while an answer is encoded (`answerFaults`); explanations of
 *    bare refusals (`explainRefusals`); entity tags of reads by GET (`tagReads`).
 * 3. Names of media types and codings in Connect's spelling (`normalizeMediaType`, `normalizeCodings`).
 * 4. Deadline, counted from the headers: the client's up to the maximum, else the server's; shutdown.
 * 5. Gate, before the body is read: authentication, rate limits, authorization, coding, query of a GET.
 * 6. Body in few pieces (`assembleBodies`). Connect then decompresses it, large messages in turn (`createCodingLine`),
 *    checks limits and parses it; JSON by its author (`mountTwice`).
 * 7. Recovery: errors by the table, causes to the log. A malformed request is its sender's fault.
 * 8. End of the call, even if its handler ignores it; expiry of the token.
 * 9. Limit on a stream's messages; validation by the contract's rules.
 * 10. Handler.
 */
export function createRpcRoutes(options: RpcOptions): RpcRoutes {
  const { auth, logger, observers, traceCall, validation, jsonRegistry, maxTimeoutMs, now } = options;
  const maxBytesOf = (service: DescService) => {
    const ownBytes = service === UserService ? MAX_USER_MESSAGE_BYTES : operators.maxBytesOf(service);
    return Math.min(options.maxMessageBytes, ownBytes ?? Number.POSITIVE_INFINITY);
  };
  const operators = createOperatorServices(options);
  let permissions: ReadonlyMap<DescMethod, Permission> = new Map();
  const permissionOf = (method: DescMethod) => permissions.get(method);
  const limits = createRateLimits(options.rateLimit);
  const streamLimits = createStreamLimits(options.streamLimit);
  const { clientScopes = () => undefined } = options;
  const gate = auth
    ? createAuthGate({ verifyToken: auth, permissionOf, limits, streamLimits, clientScopes, logger, now })
    : createOpenGate(limits);
  const validate = validation ? createValidate([UserService, StreamService]) : () => {};
  const plans = new Map<string, MethodPlan>();
  const codingLine = createCodingLine(options.codingThreads);
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
      ...(streamLimits ? [createMessageLimitInterceptor()] : []),
      ...(validation ? [createValidationInterceptor(validate)] : []),
    ],
    async requestGate(context) {
      const call = context.values.get(callKey);
      if (call) {
        call.protocol = context.protocolName;
        reportOutcome(context, call);
      }
      const { refusal, onAdmitted } = context.values.get(requestContextKey);
      if (refusal) throw refusal;
      try {
        context.values.set(principalKey, await authenticate(context));
      } finally {
        const { rateLimit = [] } = call ?? {};
        for (let i = 0; i + 1 < rateLimit.length; i += 2) {
          context.responseHeader.set(rateLimit[i] ?? "", rateLimit[i + 1] ?? "");
        }
      }
      if (call && operators.isBounded(context.method)) operators.openStreams.enter(call);
      refuseUnknownCoding(context);
      checkGetRequest(context);
      if (call) call.isReadingRequest = true;
      onAdmitted?.(!auth || context.values.get(principalKey) !== undefined);
    },
  };
  const authenticate = ({ values, requestHeader, method, signal }: HandlerContext) => {
    const { requestId, address, authorizationCount = 1, certificate } = values.get(requestContextKey);
    const record = values.get(callKey);
    const authorization = requestHeader.get("authorization") ?? undefined;
    const principal = gate({
      method,
      requestId,
      authorization,
      authorizationCount,
      certificate,
      address,
      record,
      isStream: method.methodKind !== "unary",
    });
    return principal instanceof Promise ? abortable(principal, signal) : principal;
  };
  const plan = (
    method: DescMethod,
    implementation: MethodImpl<DescMethod>,
    { readMaxBytes, jsonOptions, interceptors = [], ...others }: Partial<UniversalHandlerOptions> = {},
  ) => {
    // A method that is mounted with formats or limits of its own is carried by Connect.
    if (Object.keys(others).length > 0) return;
    const planned = createMethodPlan(method, intercept(method, implementation as Implementation, interceptors), {
      jsonOptions: { ...routerOptions.jsonOptions, ...jsonOptions },
      isBounded: operators.isBounded(method),
      lendsMessages: keepNothing.has(method),
      maxBytes: readMaxBytes ?? options.maxMessageBytes,
      defaultTimeoutMs: method.methodKind === "unary" ? options.defaultTimeoutMs : maxTimeoutMs,
    });
    plans.set(planned.path, planned);
  };
  const shownPermissionOf = (method: DescMethod) => (auth ? permissionOf(method) : "public");
  return {
    ...routerOptions,
    permissionOf: shownPermissionOf,
    descriptors: {
      async admit(caller) {
        const method = ServerReflection.method.serverReflectionInfo;
        await gate({ ...caller, method, record: undefined, isStream: false });
      },
      read: () => operators.descriptors(shownPermissionOf),
    },
    direct: {
      plans,
      gate,
      isOpen: !auth,
      validate,
      openStreams: operators.openStreams,
      codingLine,
      maxTimeoutMs,
      shutdownSignal: options.shutdownSignal,
      observers,
      traceCall,
      logger,
      now,
    },
    routes(router) {
      const mount = (twin: ConnectRouter) => {
        twin.service(UserService, userHandlers(options.users, options.changes), {
          readMaxBytes: maxBytesOf(UserService),
        });
        twin.service(StreamService, streamHandlers(options.streams));
        options.routes?.(twin);
        operators.mount(twin);
      };
      mountTwice(router, routerOptions, mount, plan);
      const methods = router.handlers.map(({ method }) => method);
      const { permissions: ofHost = {} } = options;
      permissions = readPermissions(methods, { ofHost, ofOperators: operators.permissions });
      for (const method of methods) {
        if (auth && !permissions.has(method)) logger.warn({ method: methodName(method) }, "method has no permission");
      }
      for (const [index, handler] of router.handlers.entries()) {
        const maxBytes = maxBytesOf(handler.service);
        const assembled = refusePlainJson(assembleBodies(codingLine.stage(handler), maxBytes));
        const named = normalizeMediaType(normalizeCodings(boundDeadline(assembled)));
        router.handlers[index] = observeCalls(answerFaults(explainRefusals(tagReads(named))), {
          observers,
          traceCall,
          logger,
        });
      }
    },
  };
}

/**
 * Reports to the record the error with which Connect ends a call. Connect aborts the signal of the call's context with
 * that error before it writes it. Failures outside of the interceptors, such as a request that can't be parsed, appear
 * nowhere else; for answers that can't be encoded see `answerFaults`. If the signal was aborted before, the call has
 * failed already, and no more of its request is parsed.
 */
function reportOutcome({ signal }: HandlerContext, call: CallRecord): void {
  signal.addEventListener("abort", () => call.failInProtocol(signal.reason), { once: true });
}
