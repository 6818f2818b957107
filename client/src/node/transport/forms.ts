import type { IncomingHttpHeaders } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectError, Transport } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import * as connect from "@connectrpc/connect/protocol-connect";
import * as grpc from "@connectrpc/connect/protocol-grpc";
import * as grpcWeb from "@connectrpc/connect/protocol-grpc-web";
import { mendStatus } from "./grpc-status.ts";
import type { WireOptions } from "./plan.ts";

type MethodKind = DescMethod["methodKind"];
/** Headers as a caller gives them. */
export type HeaderInit = Parameters<Transport["unary"]>[3];

/** Contents of an answer's head. */
export interface AnswerHead {
  /** Coding of the answer's messages. */
  readonly coding: Compression | undefined;
  /** Error, if the head is the whole answer. */
  readonly error?: ConnectError | undefined;
  /** Whether the head has the call's status, so that no trailers follow. */
  readonly hasStatus?: boolean | undefined;
}

/** How one protocol writes requests and reads answers. */
export interface ClientForm {
  readonly protocol: "grpc" | "grpc-web" | "connect";
  /** Whether unary messages are in envelopes, as messages of streams are. */
  readonly isUnaryEnveloped: boolean;
  readonly canGet: boolean;
  readonly timeoutHeader: "grpc-timeout" | "connect-timeout-ms";
  /** Flag of the envelope that ends a body; 0 for none. */
  readonly endFlag: number;
  makeHeader(kind: MethodKind, header: HeaderInit, options: WireOptions): Headers;
  /** Header that names the coding of a request's messages. */
  encodingHeader(kind: MethodKind): string;
  timeoutValue(timeoutMs: number): string;
  /**
   * Returns whether the head of an answer with status 200 and the request's content type contains nothing else of
   * interest.
   */
  isPlain(headers: IncomingHttpHeaders): boolean;
  /**
   * Reads the head of an answer that is of this protocol.
   *
   * @throws ConnectError for an answer that can't be read, or is an error by its status.
   */
  readHead(kind: MethodKind, status: number, header: Headers, options: WireOptions): AnswerHead;
}

/** Longest deadlines that the digits of the headers can express, in milliseconds. */
const MAX_GRPC_TIMEOUT_MS = 99_999_999;
const MAX_CONNECT_TIMEOUT_MS = 9_999_999_999;

const grpcTimeout = (timeoutMs: number) => `${Math.min(Math.ceil(timeoutMs), MAX_GRPC_TIMEOUT_MS)}m`;

const grpcForm: ClientForm = {
  protocol: "grpc",
  isUnaryEnveloped: true,
  canGet: false,
  timeoutHeader: "grpc-timeout",
  endFlag: 0,
  encodingHeader: () => "grpc-encoding",
  timeoutValue: grpcTimeout,
  makeHeader: (_kind, header, { useBinaryFormat, acceptCompression, sendCompression }) =>
    grpc.requestHeaderWithCompression(useBinaryFormat, undefined, header, acceptCompression, sendCompression ?? null),
  isPlain: (headers) => headers["grpc-encoding"] === undefined && headers["grpc-status"] === undefined,
  readHead: readGrpcHead(grpc.validateResponseWithCompression),
};

const grpcWebForm: ClientForm = {
  ...grpcForm,
  protocol: "grpc-web",
  endFlag: grpcWeb.trailerFlag,
  makeHeader: (_kind, header, { useBinaryFormat, acceptCompression, sendCompression }) =>
    grpcWeb.requestHeaderWithCompression(
      useBinaryFormat,
      undefined,
      header,
      acceptCompression,
      sendCompression ?? null,
      true,
    ),
  readHead: readGrpcHead(grpcWeb.validateResponseWithCompression),
};

const connectForm: ClientForm = {
  protocol: "connect",
  isUnaryEnveloped: false,
  canGet: true,
  timeoutHeader: "connect-timeout-ms",
  endFlag: connect.endStreamFlag,
  encodingHeader: (kind) => (kind === "unary" ? "content-encoding" : "connect-content-encoding"),
  timeoutValue: (timeoutMs) => String(Math.min(Math.ceil(timeoutMs), MAX_CONNECT_TIMEOUT_MS)),
  makeHeader: (kind, header, { useBinaryFormat, acceptCompression, sendCompression }) =>
    connect.requestHeaderWithCompression(
      kind,
      useBinaryFormat,
      undefined,
      header,
      acceptCompression,
      sendCompression ?? null,
      true,
    ),
  isPlain: (headers) => headers["content-encoding"] === undefined && headers["connect-content-encoding"] === undefined,
  readHead(kind, status, header, { acceptCompression, useBinaryFormat }) {
    const { compression, unaryError } = connect.validateResponseWithCompression(
      kind,
      acceptCompression,
      useBinaryFormat,
      status,
      header,
    );
    return { coding: compression ?? undefined, error: unaryError };
  },
};

/** The forms by their protocols. */
export const forms: Readonly<Record<ClientForm["protocol"], ClientForm>> = {
  grpc: grpcForm,
  "grpc-web": grpcWebForm,
  connect: connectForm,
};

/** Returns the function that reads heads of gRPC or gRPC-Web. The two differ only in what they require of a head. */
function readGrpcHead(
  validate: typeof grpc.validateResponseWithCompression | typeof grpcWeb.validateResponseWithCompression,
): ClientForm["readHead"] {
  return (_kind, status, header, { acceptCompression }) => {
    mendStatus(header);
    const { compression, headerError, foundStatus } = validate(acceptCompression, status, header);
    return { coding: compression ?? undefined, error: headerError, hasStatus: foundStatus };
  };
}

/** Returns whether the head of an answer is of the usual form, and needs no closer look. */
export function isPlainHead(
  form: ClientForm,
  contentType: string,
  status: number,
  headers: IncomingHttpHeaders,
): boolean {
  return status === 200 && headers["content-type"] === contentType && form.isPlain(headers);
}
