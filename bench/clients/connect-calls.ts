import type { Client, Transport } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { CHAT_MESSAGES } from "../src/requests.ts";
import type { ClientArgs, ClientCall, MakeCall } from "./measure.ts";

/** The calls of a generated client over a transport. @param sendsToken Whether each call brings its token itself. */
export function connectCalls(
  transport: Transport,
  { token, userId }: ClientArgs,
  { sendsToken }: { sendsToken: boolean },
): Record<ClientCall, MakeCall> & { check(): Promise<string> } {
  const users = createClient(UserService, transport);
  const streams: Client<typeof StreamService> = createClient(StreamService, transport);
  const options = sendsToken ? { headers: { authorization: `Bearer ${token}` } } : {};
  const get = () => users.getUser({ id: userId }, options);
  return {
    check: async () => (await get()).user?.name ?? "",
    async getUser() {
      await get();
      return 1;
    },
    serverStream: () => count(streams.serverStream({ query: "x" }, options)),
    bidirectionalStream: () => count(streams.bidirectionalStream(chat(), options)),
  };
}

/** Yields the messages of a conversation, without waiting for answers. */
export async function* chat() {
  for (let sent = 0; sent < CHAT_MESSAGES; sent++) yield { message: "ping" };
}

/** Reads messages to their end. Resolves with their number. */
export async function count(messages: AsyncIterable<unknown>): Promise<number> {
  let counted = 0;
  for await (const _ of messages) counted += 1;
  return counted;
}
