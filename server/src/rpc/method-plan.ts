import type { DescMessage, DescMethod, Message } from "@bufbuild/protobuf";
import { create, fromBinary, fromJsonString, isMessage, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { ConnectRouterOptions, HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { methodName } from "@rollcall/shared/method-name";
import { createQuickBinary } from "@rollcall/shared/quick-binary";
import { EncodedAnswer } from "./encoded-answer.ts";
import { isHealthCheck } from "./health/is-health-check.ts";
import { createQuickJson } from "./stages/quick-json.ts";
import { assertKnownFields, strictJsonDecoder } from "./stages/strict-json.ts";

/** Handler as a service implements it. It takes and returns either a message or a stream of messages. */
export type Implementation = (request: never, context: HandlerContext) => unknown;

/** Reads and writes a method's messages in one of the formats. */
export interface Codec {
  /** @throws ConnectError for a message that can't be read. */
  read(bytes: Uint8Array): Message;
  /** @throws ConnectError for a message that can't be written, which is the handler's fault. */
  write(message: Message): Uint8Array;
}

/** Everything that the calls of one method need, composed once, when its service is mounted. */
export interface MethodPlan {
  /** Path such as `/user.v1.UserService/GetUser`. */
  readonly path: string;
  readonly method: DescMethod;
  /** Full name, such as `user.v1.UserService/GetUser`. */
  readonly name: string;
  readonly implementation: Implementation;
  /** Largest message that is accepted, in bytes. */
  readonly maxBytes: number;
  /** Deadline of a call whose client sets none, in milliseconds. */
  readonly defaultTimeoutMs: number;
  /** Whether the method checks the server's health. Such a call always gets a place. */
  readonly isHealthCheck: boolean;
  /** Whether callers without a token may have only few streams of the method at the same time. */
  readonly isBounded: boolean;
  /**
   * Whether the handler no longer needs a message's bytes when it asks for the next message, so that their memory is
   * reused.
   */
  readonly lendsMessages: boolean;
  readonly binary: Codec;
  /** JSON of generated clients, whose unknown fields may come from a newer contract. */
  readonly json: Codec;
  /** JSON written by hand, where an unknown field is a typing error. */
  readonly jsonByHand: Codec;
}

export interface MethodPlanOptions extends Pick<ConnectRouterOptions, "jsonOptions"> {
  maxBytes: number;
  defaultTimeoutMs: number;
  isBounded: boolean;
  lendsMessages: boolean;
}

/** JSON options that have no effect on messages without extensions or `Any`. */
const JSON_OPTIONS_OF_READING: ReadonlySet<string> = new Set(["registry", "ignoreUnknownFields"]);

/** Composes the plan of a method. */
export function createMethodPlan(
  method: DescMethod,
  implementation: Implementation,
  { jsonOptions, ...options }: MethodPlanOptions,
): MethodPlan {
  const { input, output } = method;
  const isByDefault = Object.keys(jsonOptions ?? {}).every((name) => JSON_OPTIONS_OF_READING.has(name));
  const quickJson = isByDefault ? createQuickJson(input) : undefined;
  const quickBinary = createQuickBinary(input);
  const json = (ignoreUnknownFields: boolean): Codec => ({
    read(bytes) {
      try {
        const text = strictJsonDecoder.decode(bytes);
        const message = quickJson?.(text);
        if (message) return message;
        if (!ignoreUnknownFields) assertKnownFields(input, text);
        return fromJsonString(input, text, { ...jsonOptions, ignoreUnknownFields });
      } catch (error) {
        throw ConnectError.from(error, Code.InvalidArgument);
      }
    },
    write(message) {
      try {
        const isWritten = isByDefault && message instanceof EncodedAnswer;
        return Buffer.from(
          isWritten ? message.toJsonText() : toJsonString(output, toMessage(output, message), jsonOptions),
        );
      } catch (error) {
        throw ConnectError.from(error, Code.Internal);
      }
    },
  });
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    method,
    name: methodName(method),
    implementation,
    isHealthCheck: isHealthCheck(method),
    ...options,
    binary: {
      read(bytes) {
        try {
          return quickBinary?.(bytes) ?? fromBinary(input, bytes);
        } catch (error) {
          throw new ConnectError(`parse binary: ${messageOf(error)}`, Code.Internal);
        }
      },
      write(message) {
        try {
          return message instanceof EncodedAnswer ? message.toBytes() : toBinary(output, toMessage(output, message));
        } catch (error) {
          throw new ConnectError(`serialize binary: ${messageOf(error)}`, Code.Internal);
        }
      },
    },
    json: json(true),
    jsonByHand: json(false),
  };
}

/** A handler may return a message, or only the fields of one. */
function toMessage(schema: DescMessage, message: unknown): Message {
  return isMessage(message, schema) ? message : create(schema, message as Record<string, unknown>);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
