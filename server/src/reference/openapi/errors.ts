import { Code } from "@connectrpc/connect";
import { codeToHttpStatus, codeToString } from "@connectrpc/connect/protocol-connect";
import type { Response } from "./document.ts";
import { describe, refTo, type Schema } from "./schema.ts";

/** Names of the schemas that Connect's protocol has beside messages (connectrpc.com/docs/protocol). */
export const ERROR = "connect.Error";
export const ERROR_DETAIL = "connect.ErrorDetail";
export const END_STREAM = "connect.EndStream";

/** Meaning of each code in this service, and how to act on it. */
const meanings: Readonly<Record<Code, string>> = {
  [Code.Canceled]: "the caller ended the call",
  [Code.Unknown]: "an error without a code",
  [Code.InvalidArgument]: "the request is wrong; the details name the fields",
  [Code.DeadlineExceeded]: "the call's deadline has passed",
  [Code.NotFound]: "what the request names does not exist",
  [Code.AlreadyExists]: "what the request creates exists already",
  [Code.PermissionDenied]: "the token lacks the scope that the method asks for",
  [Code.ResourceExhausted]: "a limit of the caller is used up, or the message is too large",
  [Code.FailedPrecondition]: "the state of things does not allow it",
  [Code.Aborted]: "somebody else was faster: read again, then repeat",
  [Code.OutOfRange]: "the place to go on from is no longer there",
  [Code.Unimplemented]: "the server has no such method or coding",
  [Code.Internal]: "a fault of the server",
  [Code.Unavailable]: "the server can't take the call now: try again",
  [Code.DataLoss]: "data is lost",
  [Code.Unauthenticated]: "there is no token, or not a good one",
};

const codes = Object.values(Code).filter((code) => typeof code === "number");

/** Answers of HTTP itself, before there is a call: the wrong verb, and the wrong content type. */
const httpRefusals: Readonly<Record<number, string>> = {
  405: "The method does not take this verb.",
  415: "The method does not take this content type.",
};

/** Status of each error, and the codes that have it. */
export const codesByStatus: ReadonlyMap<number, readonly Code[]> = new Map(
  [...new Set([...codes.map(codeToHttpStatus), ...Object.keys(httpRefusals).map(Number)])]
    .sort((a, b) => a - b)
    .map((status) => [
      status,
      status in httpRefusals ? [Code.Unknown] : codes.filter((code) => codeToHttpStatus(code) === status),
    ]),
);

/** Returns the name of the response for a status. */
export function errorName(status: number): string {
  return `Error${status}`;
}

/** Returns the responses of errors, by their names. */
export function errorResponses(): Record<string, Response> {
  return Object.fromEntries(
    [...codesByStatus].map(([status, causes]) => [
      errorName(status),
      {
        description:
          httpRefusals[status] ?? causes.map((code) => `- \`${codeToString(code)}\`: ${meanings[code]}`).join("\n"),
        headers: { "x-request-id": { $ref: "#/components/headers/RequestId" }, ...headersOf(status) },
        content: {
          "application/json": { schema: { ...refTo(ERROR), properties: { code: { enum: causes.map(codeToString) } } } },
        },
      },
    ]),
  );
}

function headersOf(status: number): Response["headers"] {
  switch (status) {
    case 401:
      return { "www-authenticate": { description: "`Bearer`.", schema: { type: "string" } } };
    case 405:
      return { allow: { description: "Verbs that the method takes.", schema: { type: "string" } } };
    case 429:
    case 503:
      return {
        "retry-after": {
          description: "Seconds to wait before the next attempt, where they are known.",
          schema: { type: "string", pattern: "^[0-9]+$" },
        },
      };
    default:
      return {};
  }
}

/**
 * Returns the schemas of Connect's own messages.
 *
 * @param details Schemas of the details that errors may have.
 * @param reasons Reasons that google.rpc.ErrorInfo may have, each with what it means.
 */
export function errorSchemas(details: readonly Schema[], reasons: readonly string[]): Record<string, Schema> {
  return {
    [ERROR]: {
      type: "object",
      title: "Error",
      ...describe(
        "Error of a call. Its code decides what to do; the message is for people. Where a code has several causes, a detail google.rpc.ErrorInfo of the domain `rollcall` has the reason:",
        reasons,
      ),
      properties: {
        code: { type: "string", enum: codes.map(codeToString) },
        message: { type: "string" },
        details: { type: "array", items: refTo(ERROR_DETAIL) },
      },
      required: ["code"],
    },
    [ERROR_DETAIL]: {
      type: "object",
      title: "ErrorDetail",
      description: "Part of an error for programs, such as the fields that are wrong.",
      properties: {
        type: { type: "string", description: "Full name of the detail's message, such as google.rpc.BadRequest." },
        value: { type: "string", contentEncoding: "base64", description: "The message in Protobuf's binary form." },
        debug: { description: "The message as JSON, to read.", anyOf: [...details, {}] },
      },
      required: ["type", "value"],
    },
    [END_STREAM]: {
      type: "object",
      title: "EndStream",
      description: "Last part of a stream: its error, if it failed, and its trailers.",
      properties: {
        error: refTo(ERROR),
        metadata: { type: "object", additionalProperties: { type: "array", items: { type: "string" } } },
      },
    },
  };
}
