import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  GetUserResponseSchema,
  ListUsersResponseSchema,
  type User as UserMessage,
  UserSchema,
} from "@rollcall/gen/user/v1/user";
import type { User } from "./users.ts";

/** Makes a user's message with protobuf-es. */
export function toMessage(user: User): UserMessage {
  return create(UserSchema, {
    id: user.id,
    email: user.email,
    name: user.name,
    createdAt: timestampFromMs(user.createdAtMs),
    updatedAt: timestampFromMs(user.updatedAtMs),
    etag: `"${user.version}"`,
  });
}

/** Encodes the answer of GetUser, and of CreateUser, which looks the same. */
export function encodeUserReply(user: User): Uint8Array {
  return toBinary(GetUserResponseSchema, create(GetUserResponseSchema, { user: toMessage(user) }));
}

/** Encodes the answer of ListUsers, with a page token as long as Rollcall's. */
export function encodeListReply(users: readonly User[]): Uint8Array {
  const message = create(ListUsersResponseSchema, { users: users.map(toMessage), nextPageToken: NEXT_PAGE_TOKEN });
  return toBinary(ListUsersResponseSchema, message);
}

/** Placeholder for a page token: the contestants have no further pages. */
export const NEXT_PAGE_TOKEN = "x".repeat(96);

/** Puts a message into gRPC's envelope: a flag, the length, the bytes. */
export function envelope(message: Uint8Array): Buffer {
  const enveloped = Buffer.alloc(5 + message.byteLength);
  enveloped.writeUInt32BE(message.byteLength, 1);
  enveloped.set(message, 5);
  return enveloped;
}
