import { Code, ConnectError, type Transport } from "@connectrpc/connect";

/** RFC 9110, 5.6.2 (token) and 5.5 (field-value). */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Refuses calls whose own headers can't be sent, as invalid_argument, and passes all others on to the transport. The error
 * names the header and never its value, which may be a token: that of `Headers` quotes it. Other characters pass there, and
 * Node.js refuses them when it sends: a call with those would be tried again and again, as unavailable.
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
function checkHeaders(header: Parameters<Transport["unary"]>[3]): void {
  if (header === undefined) return;
  const isList = Symbol.iterator in header;
  for (const [name = "", value = ""] of isList ? header : Object.entries(header)) {
    if (!NAME.test(name)) throw new ConnectError("a header has a name that can't be sent", Code.InvalidArgument);
    // As Headers themselves do (Fetch, "normalize").
    if (VALUE.test(value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, ""))) continue;
    throw new ConnectError(
      `header ${name} has characters that can't be sent, such as a line break`,
      Code.InvalidArgument,
    );
  }
}
