import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type ListUsersRequest,
  type UpdateUserRequest,
  type UserChange as UserChangeMessage,
  UserChangeSchema,
  type User as UserMessage,
  UserRemovedSchema,
  UserSchema,
  type WatchUsersResponse,
  WatchUsersResponse_ProgressSchema,
  WatchUsersResponse_ResetSchema,
  WatchUsersResponse_SyncedSchema,
} from "@rollcall/gen/user/v1/user";
import { InvalidArgumentError } from "../../domain/errors.ts";
import { etagOf, type User, type UserFields } from "../../domain/user.ts";
import { BY_CREATION, type UserOrder } from "../../domain/user-order.ts";
import type { HistoryPage } from "../../service/user-changes.ts";
import type { UserQuery } from "../../service/users.ts";
import type { WatchEvent } from "../../service/watch-event.ts";

/** Orders by the names that a request may give. */
const ORDER_FIELDS = new Map<string | undefined, UserOrder["by"]>([
  ["create_time", "createdAt"],
  ["created_at", "createdAt"],
  ["update_time", "updatedAt"],
  ["updated_at", "updatedAt"],
  ["name", "name"],
  ["email", "email"],
]);

/** Converts a user to its message in the contract. */
export function toUserMessage(user: User): UserMessage {
  return create(UserSchema, {
    id: user.id,
    email: user.email,
    name: user.name,
    createdAt: timestampFromMs(user.createdAtMs),
    updatedAt: timestampFromMs(user.updatedAtMs),
    etag: etagOf(user),
  });
}

/** Converts a logged change to its message. */
export function toUserChangeMessage({ id, author, before, after }: HistoryPage["changes"][number]): UserChangeMessage {
  return create(UserChangeSchema, {
    id,
    changedAt: timestampFromMs(author.atMs),
    changedBy: author.subject,
    ...(before && { before: toUserMessage(before) }),
    ...(after && { after: toUserMessage(after) }),
  });
}

/** Converts a watch's event to the oneof of its message. */
export function toWatchedEvent({ kind, user, userId }: WatchEvent): WatchUsersResponse["event"] {
  switch (kind) {
    case "created":
    case "updated":
      return { case: kind, value: toUserMessage(user as User) };
    case "removed":
      return { case: kind, value: create(UserRemovedSchema, { id: userId }) };
    case "synced":
      return { case: kind, value: create(WatchUsersResponse_SyncedSchema) };
    case "progress":
      return { case: kind, value: create(WatchUsersResponse_ProgressSchema) };
    case "reset":
      return { case: kind, value: create(WatchUsersResponse_ResetSchema) };
  }
}

/**
 * Returns the fields that an update changes (AIP-134): those that its mask names or, if there is no mask or an empty
 * one, those that are populated.
 */
export function toUserChange({ email, name, updateMask }: UpdateUserRequest): Partial<UserFields> {
  const paths = updateMask?.paths ?? [];
  const changes = (path: string, value: string) =>
    paths.length > 0 ? paths.includes(path) || paths.includes("*") : value !== "";
  const changesEmail = changes("email", email);
  const changesName = changes("name", name);
  return { ...(changesEmail && { email }), ...(changesName && { name }) };
}

/**
 * Converts a valid request.
 *
 * @throws InvalidArgumentError for an order_by that names no order. This is not a rule of the contract, because every
 * page of the web app loads those.
 */
export function toUserQuery({ pageSize, pageToken, filter, orderBy, includeTotalSize }: ListUsersRequest): UserQuery {
  return { pageSize, pageToken, filter, order: toOrder(orderBy), includeTotalSize };
}

function toOrder(orderBy: string): UserOrder {
  if (orderBy === "") return BY_CREATION;
  const [, field, direction] = /^ *(\w+)( +desc)? *$/.exec(orderBy) ?? [];
  const by = ORDER_FIELDS.get(field);
  if (by) return { by, descending: direction !== undefined };
  const description = "must be create_time, update_time, name or email, each alone or with desc behind it";
  throw new InvalidArgumentError("validation failed", [{ field: "order_by", description }]);
}
