import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { methodName } from "@rollcall/shared/method-name";

/** The scopes that Rollcall's own methods ask for. */
export const SCOPES = ["users:read", "users:write", "streams"] as const;

/** The scope that a method asks for, or "public" for a method open to all. */
export type Permission = "public" | (string & {});

/** By the method's full name, as `user.v1.UserService/GetUser`. A method that is not listed is denied. */
export type Permissions = Readonly<Record<string, Permission>>;

const { getUser, listUsers, createUser, updateUser, deleteUser } = UserService.method;
const { serverStream, clientStream, bidirectionalStream } = StreamService.method;

/** What the methods of Rollcall's own services ask for. */
export const rollcallPermissions: Readonly<Record<string, (typeof SCOPES)[number]>> = {
  [methodName(getUser)]: "users:read",
  [methodName(listUsers)]: "users:read",
  [methodName(createUser)]: "users:write",
  [methodName(updateUser)]: "users:write",
  [methodName(deleteUser)]: "users:write",
  [methodName(serverStream)]: "streams",
  [methodName(clientStream)]: "streams",
  [methodName(bidirectionalStream)]: "streams",
};
