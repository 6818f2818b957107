import { createRegistry, type DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { file_google_rpc_error_details } from "@rollcall/gen/google/rpc/error_details";
import { Health } from "@rollcall/gen/grpc/health/v1/health";
import { ServerReflection } from "@rollcall/gen/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@rollcall/gen/grpc/reflection/v1alpha/reflection";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { UsageError } from "./exit.ts";

/** Services that the command knows by their descriptors. */
const services = [UserService, StreamService, Health, ServerReflection, ServerReflectionAlpha];

/** Types that google.protobuf.Any may hold in JSON. */
export const jsonRegistry = createRegistry(...services, file_google_rpc_error_details);

export const methods: readonly DescMethod[] = services.flatMap((service) => service.methods);

/** Full names of all methods, such as `user.v1.UserService/GetUser`. */
export const methodNames = namesOf(methods);

/** Names of all methods without their services, such as `GetUser`, as far as one method alone has them. */
export const shortMethodNames = methods
  .map(({ name }) => name)
  .filter((name, _index, names) => names.indexOf(name) === names.lastIndexOf(name));

/**
 * Names of the methods that only read although their contracts don't say so. In a published contract, the level of a
 * method can't be changed.
 */
const otherReads = new Set(
  namesOf([
    UserService.method.watchUsers,
    StreamService.method.serverStream,
    ...[Health, ServerReflection, ServerReflectionAlpha].flatMap((service) => service.methods),
  ]),
);

/** Returns whether a method only reads. False for a method of a host whose contract does not say so. */
export function isRead(method: DescMethod): boolean {
  return method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS || otherReads.has(nameOf(method));
}

/** Returns whether the command knows a service by its descriptor. */
export function isKnownService(typeName: string): boolean {
  return services.some((service) => service.typeName === typeName);
}

/**
 * Returns the method with a name: `user.v1.UserService/GetUser`, the same with a dot instead of the slash, or only the
 * last parts of it, such as `GetUser`. Returns undefined for a name that no method has.
 *
 * @param among Default: the methods that the command knows by their descriptors.
 * @throws UsageError for a name that several methods have.
 */
export function findMethod(name: string, among: readonly DescMethod[] = methods): DescMethod | undefined {
  const dotted = name.replace(/^\//, "").replace("/", ".").toLowerCase();
  const found = among.filter((method) => {
    const full = `${method.parent.typeName}.${method.name}`.toLowerCase();
    return full === dotted || full.endsWith(`.${dotted}`);
  });
  if (found.length <= 1) return found[0];
  throw new UsageError(
    `${JSON.stringify(name)} is a method of several services; there are ${namesOf(found).join(", ")}`,
  );
}

/** Creates the error for a name that no method has. @param among Default: those that the command knows. */
export function noSuchMethod(among: readonly DescMethod[] = methods): UsageError {
  return new UsageError(`there is no such method; there are ${namesOf(among).join(", ") || "none"}`);
}

function namesOf(some: readonly DescMethod[]): string[] {
  return some.map(nameOf);
}

function nameOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}
