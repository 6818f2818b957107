import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { methodName } from "@rollcall/shared/method-name";

/** Scopes that Rollcall's own methods require. */
export const SCOPES = ["users:read", "users:write", "streams"] as const;

/** Scope that a method requires, or "public" for a method open to all. */
export type Permission = "public" | (string & {});

/**
 * Permissions by the method's full name, such as `user.v1.UserService/GetUser`. A method that is not listed is denied.
 */
export type Permissions = Readonly<Record<string, Permission>>;

const { getUser, batchGetUsers, listUsers, createUser, updateUser, deleteUser } = UserService.method;
const { serverStream, clientStream, bidirectionalStream } = StreamService.method;

/** Permissions of Rollcall's own services. */
export const rollcallPermissions: Readonly<Record<string, (typeof SCOPES)[number]>> = {
  [methodName(getUser)]: "users:read",
  [methodName(batchGetUsers)]: "users:read",
  [methodName(listUsers)]: "users:read",
  [methodName(createUser)]: "users:write",
  [methodName(updateUser)]: "users:write",
  [methodName(deleteUser)]: "users:write",
  [methodName(serverStream)]: "streams",
  [methodName(clientStream)]: "streams",
  [methodName(bidirectionalStream)]: "streams",
};
