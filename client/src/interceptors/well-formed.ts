import { type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { BadRequestSchema } from "@rollcall/gen/google/rpc/error_details";
import { watchStream } from "@rollcall/shared/watch-stream";

/**
 * Refuses requests with half of a surrogate pair in a string, such as `"\ud800"`. No encoding of Unicode can express
 * it, so U+FFFD would silently be sent in its place.
 *
 * The error is invalid_argument and names the fields, like a server's own. Must be outside of the interceptor for
 * faults of responses.
 */
export const createWellFormedInterceptor = (): Interceptor => (next) => (request) => {
  const { input } = request.method;
  if (!request.stream) {
    checkWellFormed(input, request.message);
    return next(request);
  }
  const onMessage = (message: Message) => checkWellFormed(input, message);
  return next({ ...request, message: watchStream(request.message, { onMessage }) });
};

/** @throws ConnectError for a message with such a string. */
export function checkWellFormed(desc: DescMessage, message: Message): void {
  const fields = [...illFormed(reflect(desc, message), "")];
  if (fields.length === 0) return;
  const description = "must be Unicode: it has half of a surrogate pair";
  const value = { fieldViolations: fields.map((field) => ({ field, description })) };
  throw new ConnectError("validation failed", Code.InvalidArgument, undefined, [{ desc: BadRequestSchema, value }]);
}

/** Yields the paths of fields with such strings. Leaves out maps, since no request has one. */
function* illFormed(message: ReflectMessage, prefix: string): Iterable<string> {
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    const path = prefix + field.name;
    if (field.fieldKind === "message") yield* illFormed(message.get(field), `${path}.`);
    if (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) {
      if (!(message.get(field) as string).isWellFormed()) yield path;
    }
    if (field.fieldKind === "list" && field.listKind === "scalar" && field.scalar === ScalarType.STRING) {
      for (const [index, text] of [...message.get(field)].entries()) {
        if (!(text as string).isWellFormed()) yield `${path}[${index}]`;
      }
    }
  }
}
