import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { RequestMessages } from "./request-messages.ts";

/**
 * Returns the only message of a request.
 *
 * @throws ConnectError if there is none, more than one, or only a part of one.
 */
export async function onlyMessage(messages: RequestMessages): Promise<Message> {
  const first = await messages.next();
  if (first.done) {
    throw new ConnectError("protocol error: missing input message for server-streaming method", Code.Unimplemented);
  }
  const second = await messages.next();
  if (!second.done) {
    throw new ConnectError(
      "protocol error: received extra input message for server-streaming method",
      Code.Unimplemented,
    );
  }
  return first.value;
}
