import type { DescService } from "@bufbuild/protobuf";
import { Health } from "@rollcall/gen/grpc/health/v1/health";
import { ServerReflection } from "@rollcall/gen/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@rollcall/gen/grpc/reflection/v1alpha/reflection";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { methodName } from "@rollcall/shared/method-name";

/** Scopes that Rollcall's own methods require. */
export const SCOPES = ["users:read", "users:write", "streams"] as const;

/** Permission of a method for every caller with a valid token. It has a space, which no scope can have. */
export const ANY_TOKEN = "any token";

/** Scope that a method requires, {@link ANY_TOKEN}, or "public" for a method open to all. */
export type Permission = "public" | typeof ANY_TOKEN | (string & {});

/**
 * Permissions by the method's full name, such as `user.v1.UserService/GetUser`. A method that is not listed is denied.
 */
export type Permissions = Readonly<Record<string, Permission>>;

/** Permissions of health checks, which load balancers make without a token. */
export const healthPermissions: Permissions = permitAll([Health], "public");

/** Returns the permissions of reflection, in both versions. */
export function reflectionPermissions(permission: Permission): Permissions {
  return permitAll([ServerReflection, ServerReflectionAlpha], permission);
}

function permitAll(services: readonly DescService[], permission: Permission): Permissions {
  const methods = services.flatMap((service) => service.methods);
  return Object.fromEntries(methods.map((method) => [methodName(method), permission]));
}

const { getUser, batchGetUsers, listUsers, createUser, updateUser, deleteUser, watchUsers, getUserHistory } =
  UserService.method;
const { serverStream, clientStream, bidirectionalStream } = StreamService.method;

/** Permissions of Rollcall's own services. */
export const rollcallPermissions: Readonly<Record<string, (typeof SCOPES)[number]>> = {
  [methodName(getUser)]: "users:read",
  [methodName(batchGetUsers)]: "users:read",
  [methodName(listUsers)]: "users:read",
  [methodName(createUser)]: "users:write",
  [methodName(updateUser)]: "users:write",
  [methodName(deleteUser)]: "users:write",
  [methodName(watchUsers)]: "users:read",
  [methodName(getUserHistory)]: "users:read",
  [methodName(serverStream)]: "streams",
  [methodName(clientStream)]: "streams",
  [methodName(bidirectionalStream)]: "streams",
};
