import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { CallableMethod, Operation, Parameter, PathItem, Reference, Response } from "./document.ts";
import { codesByStatus, END_STREAM, errorName } from "./errors.ts";
import { refTo, type Schema } from "./schema.ts";

/** Name of the security scheme. */
export const TOKEN = "token";

/** Codings of messages in a GET's query, as Connect names them. */
const CODINGS = ["gzip", "br", "zstd"];

const STREAM_TYPE = "application/connect+json";
const ENVELOPE =
  "Each message is in an envelope: a byte of flags, 0 as a rule, the length in four bytes, the highest first, and the JSON.";

/** Parameters of the requests, by their names in the document. */
export const parameters: Readonly<Record<string, Parameter>> = {
  ProtocolVersion: {
    name: "connect-protocol-version",
    in: "header",
    description: "`1` from generated clients. Without it, an unknown field of a message is refused.",
    schema: { const: "1" },
  },
  Timeout: {
    name: "connect-timeout-ms",
    in: "header",
    description: "Deadline of the call, in milliseconds from now.",
    schema: { type: "string", pattern: "^[0-9]{1,10}$" },
  },
  RequestId: {
    name: "x-request-id",
    in: "header",
    description: "Id of the request for the log, of printable ASCII. The server makes one where it is missing.",
    schema: { type: "string" },
  },
};

/** Headers of the answers, by their names in the document. */
export const headers = {
  RequestId: { description: "Id of the request, which the server's log has too.", schema: { type: "string" } },
  EntityTag: {
    description: "Tag of the answer: with `if-none-match`, a read is 304 while nothing has changed.",
    schema: { type: "string" },
  },
} as const satisfies Readonly<Record<string, { description: string; schema: Schema }>>;

const requestHeaders: readonly Reference[] = Object.keys(parameters).map((name) => ({
  $ref: `#/components/parameters/${name}`,
}));
const requestId = { "x-request-id": { $ref: "#/components/headers/RequestId" } };

/** Schemas of a method's messages. */
export interface Messages {
  readonly input: Schema;
  readonly output: Schema;
  readonly comment: string | undefined;
}

/** Returns the operations of a method: POST and, for a read, GET. */
export function operationsOf({ method, access }: CallableMethod, { input, output, comment }: Messages): PathItem {
  const operationId = `${method.parent.typeName}.${method.name}`;
  const common = {
    tags: [method.parent.typeName],
    summary: method.name,
    ...(comment !== undefined && { description: comment }),
    ...(method.deprecated && { deprecated: true }),
    security: access.isOpen ? [] : [{ [TOKEN]: access.scopes }],
  };
  if (method.methodKind !== "unary") {
    const body = { description: ENVELOPE, content: { [STREAM_TYPE]: { schema: input } } };
    return {
      post: {
        operationId,
        ...common,
        parameters: requestHeaders,
        requestBody: { required: true, ...body },
        responses: { 200: streamAnswer(output), 415: errorRef(415) },
      },
    };
  }
  const json = { "application/json": { schema: input } };
  const answer = {
    description: "The answer.",
    headers: requestId,
    content: { "application/json": { schema: output } },
  };
  const errors = Object.fromEntries([...codesByStatus.keys()].map((status) => [status, errorRef(status)]));
  const post: Operation = {
    operationId,
    ...common,
    parameters: requestHeaders,
    requestBody: { required: true, content: json },
    responses: { 200: answer, ...errors },
  };
  if (method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return { post };
  const tagged = { ...requestId, etag: { $ref: "#/components/headers/EntityTag" } };
  const get: Operation = {
    operationId: `${operationId}.get`,
    ...common,
    parameters: [...queryParameters(input), ...requestHeaders.slice(1), IF_NONE_MATCH],
    responses: {
      200: { ...answer, headers: tagged },
      304: { description: "The caller has the answer already.", headers: tagged },
      ...errors,
    },
  };
  return { get, post };
}

const IF_NONE_MATCH: Parameter = {
  name: "if-none-match",
  in: "header",
  description: "`etag` of an earlier answer.",
  schema: { type: "string" },
};

/** Parameters of a Connect GET (connectrpc.com/docs/protocol#unary-get-request). */
function queryParameters(input: Schema): Parameter[] {
  return [
    {
      name: "message",
      in: "query",
      required: true,
      description: "The request, as JSON.",
      content: { "application/json": { schema: input } },
    },
    {
      name: "encoding",
      in: "query",
      required: true,
      description: "Form of the message. With `proto`, it is binary and `base64` is 1.",
      schema: { enum: ["json", "proto"] },
    },
    {
      name: "connect",
      in: "query",
      description: "`v1` from generated clients. Without it, an unknown field of the message is refused.",
      schema: { const: "v1" },
    },
    {
      name: "base64",
      in: "query",
      description: "`1` for a message in base64, as binary and compressed ones are; base64url is taken too.",
      schema: { const: "1" },
    },
    { name: "compression", in: "query", description: "Coding of the message.", schema: { enum: CODINGS } },
  ];
}

function streamAnswer(output: Schema): Response {
  return {
    description: `The stream. ${ENVELOPE} The last one has the flag 2: it holds a ${END_STREAM}, also when the call failed.`,
    headers: requestId,
    content: { [STREAM_TYPE]: { schema: { anyOf: [output, refTo(END_STREAM)] } } },
  };
}

function errorRef(status: number): Reference {
  return { $ref: `#/components/responses/${errorName(status)}` };
}
