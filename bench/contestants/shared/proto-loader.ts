import { join } from "node:path";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { NEXT_PAGE_TOKEN } from "./messages.ts";
import type { User } from "./users.ts";

const root = join(import.meta.dirname, "../../..");
const definitions = loadSync(["user/v1/user.proto", "stream/v1/stream.proto"], {
  includeDirs: [join(root, "proto")],
});

/** The services, as users of grpc-js define them. */
export const userService = definitions["user.v1.UserService"] as unknown as ServiceDefinition;
export const streamService = definitions["stream.v1.StreamService"] as unknown as ServiceDefinition;

/** Makes a user's message in the form that protobufjs expects. */
export function toPlainUser(user: User): object {
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    createdAt: toPlainTimestamp(user.createdAtMs),
    updatedAt: toPlainTimestamp(user.updatedAtMs),
    etag: `"${user.version}"`,
  };
}

/** Makes the answer of ListUsers in the form that protobufjs expects. */
export function toPlainList(users: readonly User[]): object {
  return { users: users.map(toPlainUser), nextPageToken: NEXT_PAGE_TOKEN };
}

function toPlainTimestamp(timeMs: number): object {
  const seconds = Math.floor(timeMs / 1_000);
  return { seconds, nanos: (timeMs - seconds * 1_000) * 1_000_000 };
}
