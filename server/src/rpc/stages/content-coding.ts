import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { acceptCompression, acceptedEncodings } from "./compression.ts";

const IDENTITY = "identity";
/** Alias of gzip (RFC 9110, 8.4.1.3). */
const X_GZIP = "x-gzip";

/** Headers that name codings: those of the request's messages, and those that the client accepts. */
const REQUEST_HEADERS = ["content-encoding", "connect-content-encoding", "grpc-encoding"] as const;
const ACCEPT_HEADERS = ["accept-encoding", "connect-accept-encoding", "grpc-accept-encoding"] as const;

/** Query parameter that names the coding of a GET's message. */
const COMPRESSION_PARAMETER = /(?<=[?&]compression=)[^&]*/;

/** Element of an accept header. Its weight has three decimals at most (RFC 9110, 12.4.2). */
const ACCEPTED = /^([!#$%&'*+.^_`|~\da-z-]+)(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i;

/**
 * Wraps a handler that compares names of codings literally, and takes the first one it knows in an accept header. The
 * handler gets names in lower case, and only the one coding to answer in.
 */
export function normalizeCodings(handler: UniversalHandler): UniversalHandler {
  const normalized = ({ header, url, ...request }: Parameters<UniversalHandler>[0]) => {
    for (const name of REQUEST_HEADERS) {
      const value = header.get(name);
      if (value !== null) header.set(name, codingOf(value) || IDENTITY);
    }
    for (const name of ACCEPT_HEADERS) {
      const value = header.get(name);
      if (value !== null) header.set(name, chooseCoding(value));
    }
    return handler({ ...request, header, url: url.replace(COMPRESSION_PARAMETER, codingOf) });
  };
  return Object.assign(normalized, handler);
}

/**
 * Returns the coding that an accept header prefers (RFC 9110, 12.5.3): the one with the highest weight and, among
 * equals, the one that the server prefers. Returns identity if none fits: an answer in a coding that the client did not
 * ask for is more useful than none.
 */
export function chooseCoding(accepted: string): string {
  const weights = new Map<string, number>();
  for (const member of accepted.split(",")) {
    const [, name, weight = "1"] = ACCEPTED.exec(member.trim()) ?? [];
    if (name !== undefined) weights.set(codingOf(name), Number(weight));
  }
  let chosen = IDENTITY;
  let chosenWeight = 0;
  for (const name of [...acceptCompression.map(({ name }) => name), IDENTITY]) {
    const weight = weights.get(name) ?? weights.get("*") ?? 0;
    if (weight > chosenWeight) [chosen, chosenWeight] = [name, weight];
  }
  return chosen;
}

/** Returns the registered name of a coding. */
export function codingOf(name: string): string {
  const coding = name.trim().toLowerCase();
  return coding === X_GZIP ? "gzip" : coding;
}

/**
 * Refuses a request whose messages are in an unknown coding, and lists the known ones in the response's headers
 * (grpc/doc/compression.md; connectrpc.com/docs/protocol).
 *
 * @throws ConnectError unimplemented
 */
export function refuseUnknownCoding(context: HandlerContext): void {
  const { requestHeader, responseHeader, protocolName, method, requestMethod, url } = context;
  const index = protocolName !== "connect" ? 2 : method.methodKind === "unary" ? 0 : 1;
  const coding =
    requestMethod === "GET" ? new URL(url).searchParams.get("compression") : requestHeader.get(REQUEST_HEADERS[index]);
  if (coding === null || coding === IDENTITY || acceptCompression.some(({ name }) => name === coding)) return;
  responseHeader.set(ACCEPT_HEADERS[index], acceptedEncodings);
  throw unknownCoding(coding);
}

/** Creates the error for messages in an unknown coding. */
export function unknownCoding(name: string): ConnectError {
  const shown = name.slice(0, 64);
  return new ConnectError(
    `unknown compression ${JSON.stringify(shown)}: supported encodings are ${acceptedEncodings}`,
    Code.Unimplemented,
  );
}
