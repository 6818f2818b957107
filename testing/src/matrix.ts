import type { ConnectError, Interceptor, Transport } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  type Http2SessionManager,
} from "@connectrpc/connect-node";
import type { AppOptions } from "@rollcall/server";
import { expect } from "vitest";
import { createCertificateAuthority } from "./certificates.ts";
import { startServer, type TestServer } from "./start-server.ts";

/** How a client reaches the server: one axis of the matrix. */
export interface Connection {
  readonly connection: string;
  readonly httpVersion: "1.1" | "2";
  readonly tls: boolean;
}

/** Protocol of the calls: the other axis. */
export interface Protocol {
  readonly protocol: string;
  /** Name in the access log. */
  readonly logName: string;
  createTransport(options: TransportOptions): Transport;
}

export type Cell = Protocol & Connection;

interface TransportOptions {
  baseUrl: string;
  httpVersion: "1.1" | "2";
  nodeOptions: { ca?: string };
  sessionManager?: Http2SessionManager;
  interceptors: Interceptor[];
  acceptCompression?: Compression[];
  sendCompression?: Compression;
  compressMinBytes?: number;
}

export const connections = {
  http1: { connection: "HTTP/1.1", httpVersion: "1.1", tls: false },
  h2c: { connection: "h2c", httpVersion: "2", tls: false },
  tlsHttp1: { connection: "TLS with HTTP/1.1", httpVersion: "1.1", tls: true },
  tlsH2: { connection: "TLS with h2", httpVersion: "2", tls: true },
} as const satisfies Record<string, Connection>;

export const protocols = {
  grpc: { protocol: "gRPC", logName: "grpc", createTransport: createGrpcTransport },
  grpcWeb: { protocol: "gRPC-Web", logName: "grpc-web", createTransport: createGrpcWebTransport },
  connectProto: {
    protocol: "Connect proto",
    logName: "connect",
    createTransport: (options) => createConnectTransport({ ...options, useBinaryFormat: true }),
  },
  connectJson: {
    protocol: "Connect JSON",
    logName: "connect",
    createTransport: (options) => createConnectTransport({ ...options, useBinaryFormat: false }),
  },
} as const satisfies Record<string, Protocol>;

/** Each protocol over each connection that can carry it: gRPC needs HTTP/2. */
export const cells: readonly Cell[] = Object.values(protocols).flatMap((protocol) =>
  Object.values(connections)
    .filter(({ httpVersion }) => protocol.protocol !== "gRPC" || httpVersion === "2")
    .map((connection) => ({ ...protocol, ...connection })),
);

/** The cells whose connection is full duplex. */
export const http2Cells: readonly Cell[] = cells.filter(({ httpVersion }) => httpVersion === "2");

/**
 * Both versions of HTTP without TLS, and each protocol over them. For tests of the bytes of messages and headers, which
 * TLS does not change.
 */
export const plainConnections: readonly Connection[] = Object.values(connections).filter(({ tls }) => !tls);
export const plainCells: readonly Cell[] = cells.filter(({ tls }) => !tls);

/** Each protocol once, over h2c: for tests that do not depend on the connection. */
export const protocolCells: readonly Cell[] = cells.filter(({ connection }) => connection === "h2c");

const authority = await createCertificateAuthority("Rollcall test CA");
/** Certificate and key of the matrix's TLS servers, in PEM. */
export const testCertificate = await authority.issue({
  commonName: "Rollcall test",
  hosts: ["localhost", "127.0.0.1", "::1"],
});

/** The authority that signed the certificate of the matrix's TLS servers, in PEM. */
export const testCa: string = authority.cert;

/** Starts a server like {@link startServer}, with TLS if the connection has it. */
export function startServerFor({ tls }: Connection, options: Partial<AppOptions> = {}): Promise<TestServer> {
  return startServer({ ...options, ...(tls && { tls: testCertificate }) });
}

/**
 * Creates connect-node's transport for the cell. Its calls carry a token with all scopes, unless they have their own.
 */
export async function createCellTransport(
  server: TestServer,
  { createTransport, httpVersion }: Cell,
  options: Partial<TransportOptions> = {},
): Promise<Transport> {
  return createTransport({
    baseUrl: server.url,
    httpVersion,
    nodeOptions: { ca: testCa },
    ...options,
    interceptors: [authenticate(await server.token()), ...(options.interceptors ?? [])],
  });
}

/** Adds the token to calls that have none. */
export function authenticate(token: string): Interceptor {
  return (next) => (request) => {
    if (!request.header.has("authorization")) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}

/** Resolves with the error that the call fails with. */
export async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => expect.unreachable("the call succeeded"),
    (error) => error as ConnectError,
  );
}
