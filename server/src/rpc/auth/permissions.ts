import { clone, create, type DescMethod, getOption, hasOption, setExtension } from "@bufbuild/protobuf";
import { type MethodOptions, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { AuthSchema, auth } from "@rollcall/gen/rollcall/options/v1/auth";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { methodName } from "@rollcall/shared/method-name";

/** Permission of a method that any valid token may call. The name has a space, which no scope can have. */
export const ANY_TOKEN = "any token";

/** Scope that a method requires, {@link ANY_TOKEN}, or "public" for a method open to all. */
export type Permission = "public" | typeof ANY_TOKEN | (string & {});

/** Permissions by the method's full name, such as `user.v1.UserService/GetUser`. */
export type Permissions = Readonly<Record<string, Permission>>;

/** Characters of a scope (RFC 6749, 3.3). */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Scopes that Rollcall's own methods require, in the order of its contract. */
export const SCOPES: readonly string[] = [
  ...new Set([...UserService.methods, ...StreamService.methods].flatMap((method) => contractPermission(method) ?? [])),
];

/**
 * Returns the permission that the contract gives a method by the option `rollcall.options.v1.auth`. Returns undefined,
 * which denies the method to all, if the option is absent, names no caller, or has a scope that no token can have.
 */
export function contractPermission(method: DescMethod): Permission | undefined {
  const { caller } = getOption(method, auth);
  if (caller.case === "scope") {
    // A scope named "public" must not open the method to everybody.
    return SCOPE.test(caller.value) && caller.value !== "public" ? caller.value : undefined;
  }
  if (!caller.value) return undefined;
  return caller.case === "public" ? "public" : ANY_TOKEN;
}

/**
 * Returns a method's options with the permission added in the form of the contract; without a permission, as they are.
 */
export function withPermission(
  options: MethodOptions | undefined,
  permission: Permission | undefined,
): MethodOptions | undefined {
  if (permission === undefined) return options;
  const copy = options ? clone(MethodOptionsSchema, options) : create(MethodOptionsSchema);
  setExtension(copy, auth, create(AuthSchema, { caller: callerOf(permission) }));
  return copy;
}

function callerOf(permission: Permission) {
  if (permission === "public") return { case: "public", value: true } as const;
  if (permission === ANY_TOKEN) return { case: "anyToken", value: true } as const;
  return { case: "scope", value: permission } as const;
}

export interface PermissionSources {
  /** Permissions that a host gives to methods whose contract has none. */
  ofHost: Permissions;
  /** Permissions of methods whose contracts are gRPC's own and can't have any. The host's permissions override them. */
  ofOperators: Permissions;
}

/**
 * Returns the permissions of mounted methods. A method without an entry is denied.
 *
 * @throws Error if a method has permissions in its contract and from the host: one would be more open than the other.
 */
export function readPermissions(
  methods: Iterable<DescMethod>,
  { ofHost, ofOperators }: PermissionSources,
): ReadonlyMap<DescMethod, Permission> {
  const byName: Permissions = { ...ofOperators, ...ofHost };
  const permissions = new Map<DescMethod, Permission>();
  for (const method of methods) {
    const name = methodName(method);
    const isInContract = hasOption(method, auth);
    if (isInContract && Object.hasOwn(ofHost, name)) {
      throw new Error(`${name} has its permission in its contract: take it out of the option "permissions"`);
    }
    const permission = isInContract ? contractPermission(method) : Object.hasOwn(byName, name) && byName[name];
    if (permission) permissions.set(method, permission);
  }
  return permissions;
}
