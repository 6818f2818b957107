import type { DescFile, DescMethod, DescService, Registry } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "@rollcall/gen/google/rpc/error_details";
import { Health } from "@rollcall/gen/grpc/health/v1/health";
import { ServerReflection } from "@rollcall/gen/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@rollcall/gen/grpc/reflection/v1alpha/reflection";
import { file_rollcall_errors_v1_error_reason } from "@rollcall/gen/rollcall/errors/v1/error_reason";
import { UserService } from "@rollcall/gen/user/v1/user";
import { methodName } from "@rollcall/shared/method-name";
import { MAX_PROBE_MESSAGE_BYTES } from "../limits.ts";
import type { Readiness } from "../service/readiness.ts";
import { ANY_TOKEN, type Permission, type Permissions, withPermission } from "./auth/permissions.ts";
import { healthHandlers } from "./health/handlers.ts";
import { OpenStreams, type OpenStreamsOptions } from "./open-streams.ts";
import type { Schemas } from "./reflection/answer.ts";
import { reflectionHandlers } from "./reflection/handlers.ts";
import { SchemaIndex } from "./reflection/schema-index.ts";

const services: readonly DescService[] = [Health, ServerReflection, ServerReflectionAlpha];

export interface OperatorServicesOptions extends OpenStreamsOptions {
  readiness: Readiness;
  /** Callers that may use reflection: everybody, callers with any token, or nobody. */
  reflection: "open" | "token" | "off";
  /** Further types that clients may have to print. */
  jsonRegistry?: Registry | undefined;
}

/** Services that every gRPC server offers to the tools of operators and developers: health and reflection. */
export interface OperatorServices {
  /** Permissions of their methods. The contracts are gRPC's own, and can't have them. */
  readonly permissions: Permissions;
  /**
   * Returns the contracts of all mounted services as a google.protobuf.FileDescriptorSet, including the permissions of
   * their methods, wherever these are set. It is empty if reflection is off, since reflection would publish the same.
   */
  descriptors(permissionOf: (method: DescMethod) => Permission | undefined): Uint8Array;
  /**
   * Mounts the services, after all others, since they report on those. Leaves out a service that a host has mounted
   * itself.
   */
  mount(router: ConnectRouter): void;
  readonly openStreams: OpenStreams;
  /** Returns whether the streams of a method are counted among the open ones. */
  isBounded(method: DescMethod): boolean;
  /** Returns the largest message of one of these services, in bytes; undefined for any other service. */
  maxBytesOf(service: DescService): number | undefined;
}

export function createOperatorServices(options: OperatorServicesOptions): OperatorServices {
  const { readiness, reflection, jsonRegistry } = options;
  const openStreams = new OpenStreams(options);
  let schemas: (() => Schemas) | undefined;
  let methods: readonly DescMethod[] = [];
  const ofReflection = reflection === "open" ? "public" : ANY_TOKEN;
  return {
    permissions: {
      // Load balancers check health without a token.
      ...permit(Health, "public"),
      ...permit(ServerReflection, ofReflection),
      ...permit(ServerReflectionAlpha, ofReflection),
    },
    openStreams,
    descriptors(permissionOf) {
      const { index, serviceNames } = schemas?.() ?? { index: new SchemaIndex([]), serviceNames: [] };
      const byName = new Map(methods.map((method) => [methodName(method), permissionOf(method)]));
      return index.descriptorSet(serviceNames, (name, options) => withPermission(options, byName.get(name)));
    },
    isBounded: ({ parent, methodKind }) => methodKind !== "unary" && services.includes(parent),
    maxBytesOf: (service) => (services.includes(service) ? MAX_PROBE_MESSAGE_BYTES : undefined),
    mount(router) {
      const mounted = () => [...new Set(router.handlers.map(({ service }) => service))];
      const find = once(() => describe(mounted(), jsonRegistry));
      const serviceNames = once(() => namesOf(mounted()));
      const isFree = ({ typeName }: DescService) => mounted().every((service) => service.typeName !== typeName);
      const limits = { readMaxBytes: MAX_PROBE_MESSAGE_BYTES };
      const needsDatabase = (name: string) => name === UserService.typeName;
      if (isFree(Health)) {
        router.service(Health, healthHandlers({ readiness, openStreams, serviceNames, needsDatabase }), limits);
      }
      if (reflection === "off") return;
      schemas = find;
      const handlers = reflectionHandlers({ openStreams, schemas: find });
      if (isFree(ServerReflection)) router.service(ServerReflection, handlers, limits);
      if (isFree(ServerReflectionAlpha)) router.service(ServerReflectionAlpha, handlers, limits);
      methods = router.handlers.map(({ method }) => method);
    },
  };
}

function permit({ methods }: DescService, permission: Permission): Permissions {
  return Object.fromEntries(methods.map((method) => [methodName(method), permission]));
}

/** Indexes the contracts of services, and of the details in their errors. */
function describe(mounted: readonly DescService[], jsonRegistry: Registry | undefined): Schemas {
  const files: DescFile[] = mounted.map(({ file }) => file);
  for (const type of jsonRegistry ?? []) files.push(type.file);
  files.push(file_google_rpc_error_details, file_rollcall_errors_v1_error_reason);
  return { index: new SchemaIndex(files), serviceNames: namesOf(mounted) };
}

function namesOf(mounted: readonly DescService[]): string[] {
  return mounted.map(({ typeName }) => typeName).sort();
}

/** Returns a function that makes its value when it is first called. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
