import { Code, ConnectError, type Transport } from "@connectrpc/connect";

/** RFC 9110, 5.6.2 (token) and 5.5 (field-value). */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Wraps a transport to refuse calls whose own headers can't be sent, as invalid_argument. The error names the header
 * and never its value, which may be a token; the error of `Headers` would quote it. `Headers` also accepts characters
 * that Node.js refuses when it sends: such a call would be repeated again and again, as unavailable.
 */
export function withCheckedHeaders(transport: Transport): Transport {
  return {
    async unary(method, signal, timeoutMs, header, ...call) {
      checkHeaders(header);
      return transport.unary(method, signal, timeoutMs, header, ...call);
    },
    async stream(method, signal, timeoutMs, header, ...call) {
      checkHeaders(header);
      return transport.stream(method, signal, timeoutMs, header, ...call);
    },
  };
}

/** @throws ConnectError invalid_argument */
export function checkHeaders(header: Parameters<Transport["unary"]>[3]): void {
  if (header === undefined) return;
  const isList = Symbol.iterator in header;
  for (const [name = "", value = ""] of isList ? header : Object.entries(header)) {
    if (!NAME.test(name)) throw new ConnectError("a header has a name that can't be sent", Code.InvalidArgument);
    // Trim as Headers themselves do (Fetch, "normalize").
    if (VALUE.test(value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, ""))) continue;
    throw new ConnectError(
      `header ${name} has characters that can't be sent, such as a line break`,
      Code.InvalidArgument,
    );
  }
}
