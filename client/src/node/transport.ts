import type { JsonReadOptions, JsonWriteOptions } from "@bufbuild/protobuf";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { validateReadWriteMaxBytes } from "@connectrpc/connect/protocol";
import { checkOptions, type Rule, type Rules } from "../internal/check-options.ts";
import { parseServerAddress } from "../internal/server-address.ts";
import type { FastPath } from "./fast-path.ts";
import { type PoolOptions, toPoolSettings } from "./http/pool-options.ts";
import { loadTls, type TlsFiles } from "./tls-files.ts";
import { type CodingName, codings } from "./transport/codings.ts";
import { forms } from "./transport/forms.ts";
import { Http1Carrier } from "./transport/http1-carrier.ts";
import { Http2Carrier } from "./transport/http2-carrier.ts";
import { CallTransport } from "./transport/transport.ts";

export interface NodeTransportOptions {
  /**
   * Address of the server, such as `https://rollcall.example.com`. With several addresses, calls are distributed among
   * those that work. A path, for a server behind a proxy, must be the same in all.
   */
  baseUrl: string | readonly string[];
  /** Default "grpc". */
  protocol?: "grpc" | "grpc-web" | "connect" | undefined;
  /** Default "2". Over "1.1" there is no gRPC, and no stream in both directions at the same time. */
  httpVersion?: "1.1" | "2" | undefined;
  tls?: TlsFiles | undefined;
  pool?: PoolOptions | undefined;
  /** Deadline of unary calls that set none, in milliseconds. 0: none. Default: the server's. */
  timeoutMs?: number | undefined;
  /** Largest message from the server, in bytes. Default 4 MiB. */
  readMaxBytes?: number | undefined;
  /** Whether messages are sent in the binary format, and not in JSON. Default true. */
  useBinaryFormat?: boolean | undefined;
  /**
   * Whether Connect sends reads as GET, unless their URL would be longer than 4 KiB. Default false: proxies may log the
   * messages in its query.
   */
  useHttpGet?: boolean | undefined;
  /** Codings that the server may use for its messages, best first. Default gzip and br. */
  acceptCompression?: readonly CodingName[] | undefined;
  /** Coding of messages that have at least `compressMinBytes`. Default: none. */
  sendCompression?: CodingName | undefined;
  /** Smallest message to compress, in bytes. Default 1 KiB. */
  compressMinBytes?: number | undefined;
  /** How JSON is read and written, such as the types that a `google.protobuf.Any` may hold. */
  jsonOptions?: Partial<JsonReadOptions & JsonWriteOptions> | undefined;
  interceptors?: readonly Interceptor[] | undefined;
}

/** A Connect transport over a pool of connections. Must be closed. */
export interface NodeTransport extends Transport {
  /**
   * Lets calls finish that have been sent, for `pool.closeTimeoutMs` at most, then closes the connections. Later calls,
   * and those that still wait for a token or a connection, are canceled.
   */
  close(): Promise<void>;
}

/** Largest message that zlib and Protobuf-ES can handle, in bytes. */
const MAX_BYTES = 0xffffffff;

function sizeFrom(least: number): Rule {
  const isSize = (value: unknown) =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= MAX_BYTES;
  return (value) => !isSize(value) && `a whole number from ${least} to ${MAX_BYTES}`;
}

const codingNames: readonly string[] = Object.keys(codings);

const rules: Rules<NodeTransportOptions> = {
  protocol: ["grpc", "grpc-web", "connect"],
  httpVersion: ["1.1", "2"],
  timeoutMs: 0,
  readMaxBytes: sizeFrom(1),
  useBinaryFormat: "boolean",
  useHttpGet: "boolean",
  acceptCompression: (value) => !Array.isArray(value) && "a list",
  sendCompression: codingNames,
  compressMinBytes: sizeFrom(0),
};

/**
 * @throws TypeError for a baseUrl that is no address of a server, paths that differ, gRPC over HTTP/1.1, and options
 * that are not as their types say.
 * @throws RangeError for options of the pool that are out of range.
 */
export function createNodeTransport(options: NodeTransportOptions): NodeTransport {
  return openTransport(options, undefined);
}

/** Does the same as {@link createNodeTransport}. @param fastPath Way past the interceptors. Default: none. */
export function openTransport(options: NodeTransportOptions, fastPath: FastPath | undefined): NodeTransport {
  checkOptions(options, rules);
  const { protocol = "grpc", httpVersion = "2", readMaxBytes = 4 * 1024 ** 2 } = options;
  const { useBinaryFormat = true, useHttpGet = false, acceptCompression = ["gzip", "br"], sendCompression } = options;
  for (const name of acceptCompression) checkOptions({ name }, { name: codingNames }, "acceptCompression: each ");
  const urls = [options.baseUrl].flat().map(parseServerAddress);
  const [first] = urls;
  if (!first) throw new TypeError("baseUrl must not be empty");
  if (urls.some(({ pathname }) => pathname !== first.pathname)) throw new TypeError("all addresses need the same path");
  const origins = urls.map(({ origin }) => origin);
  const tls = loadTls(options.tls);
  const settings = toPoolSettings(options.pool);
  if (protocol === "grpc" && httpVersion === "1.1") {
    throw new TypeError("gRPC needs HTTP/2: over HTTP/1.1, the protocol is connect or grpc-web");
  }

  const carrier = new (httpVersion === "2" ? Http2Carrier : Http1Carrier)(origins, tls, settings);
  const limits = validateReadWriteMaxBytes(readMaxBytes, undefined, options.compressMinBytes);
  const transport = new CallTransport({
    ...limits,
    carrier,
    fastPath,
    timeoutMs: options.timeoutMs,
    form: forms[protocol],
    baseUrl: first.href,
    useBinaryFormat,
    useHttpGet,
    jsonOptions: options.jsonOptions,
    interceptors: options.interceptors ?? [],
    acceptCompression: acceptCompression.map((name) => codings[name]),
    sendCompression: sendCompression && codings[sendCompression],
  });
  return transport;
}
