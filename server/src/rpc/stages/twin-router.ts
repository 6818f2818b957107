import type { DescMethod } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  createConnectRouter,
  type MethodImpl,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalHandlerOptions } from "@connectrpc/connect/protocol";
import { createKnownFieldsDecoder, type JsonDecoder, strictJsonDecoder } from "./strict-json.ts";

type Options = Partial<UniversalHandlerOptions> | undefined;
type Implementation = Readonly<Record<string, ((...args: never[]) => unknown) | undefined>>;

/**
 * Mounts services on a router, each method with two handlers, and chooses between them for each request. One serves
 * generated clients, whose unknown JSON fields may come from a newer contract. The other serves JSON written by hand:
 * it refuses unknown fields as typing errors.
 *
 * @param routerOptions Options that the router itself was created with.
 * @param onMethod Called for each method that is mounted.
 */
export function mountTwice(
  router: ConnectRouter,
  routerOptions: ConnectRouterOptions,
  mount: (router: ConnectRouter) => void,
  onMethod: (method: DescMethod, call: MethodImpl<DescMethod>, options: Options) => void,
): void {
  const byHand = createConnectRouter(routerOptions);
  // Connect would let the interceptors of a service replace those of the router.
  const { interceptors = [] } = routerOptions;
  const withJson = (options: Options, textDecoder: JsonDecoder, ignoreUnknownFields: boolean) => ({
    ...options,
    interceptors: [...interceptors, ...(options?.interceptors ?? [])],
    jsonOptions: { ...routerOptions.jsonOptions, ...options?.jsonOptions, textDecoder, ignoreUnknownFields },
  });
  const mountByHand = (method: DescMethod, call: MethodImpl<DescMethod>, options: Options) => {
    onMethod(method, call, options);
    byHand.rpc(method, call, withJson(options, createKnownFieldsDecoder(method.input), false));
  };
  const twin: ConnectRouter = {
    handlers: router.handlers,
    service(service, implementation, options) {
      router.service(service, implementation, withJson(options, strictJsonDecoder, true));
      for (const method of service.methods) {
        const call = (implementation as Implementation)[method.localName] ?? unimplemented(method);
        mountByHand(method, call.bind(implementation) as MethodImpl<DescMethod>, options);
      }
      return twin;
    },
    rpc(method, call, options) {
      router.rpc(method, call, withJson(options, strictJsonDecoder, true));
      mountByHand(method, call as MethodImpl<DescMethod>, options);
      return twin;
    },
  };
  mount(twin);
  const handlersByHand = new Map(byHand.handlers.map((handler) => [handler.requestPath, handler]));
  for (const [index, handler] of router.handlers.entries()) {
    const handlerByHand = handlersByHand.get(handler.requestPath);
    if (handlerByHand) router.handlers[index] = chooseByAuthor(handler, handlerByHand);
  }
}

/** Returns the handler of a method that its service does not implement. */
function unimplemented({ parent, name }: DescMethod): () => never {
  return () => {
    throw new ConnectError(`${parent.typeName}.${name} is not implemented`, Code.Unimplemented);
  };
}

function chooseByAuthor(handler: UniversalHandler, byHand: UniversalHandler): UniversalHandler {
  const choose = (request: Parameters<UniversalHandler>[0]) => (isByHand(request) ? byHand : handler)(request);
  return Object.assign(choose, handler);
}

/**
 * Returns whether a request has JSON that was written by hand: without the version of Connect's protocol, which
 * generated clients send.
 */
function isByHand({ method, url, header }: Parameters<UniversalHandler>[0]): boolean {
  if (method === "GET") {
    const { searchParams } = new URL(url);
    return searchParams.get("encoding") === "json" && !searchParams.has("connect");
  }
  const type = header.get("content-type");
  return (
    (type === "application/json" || type === "application/connect+json") && !header.has("connect-protocol-version")
  );
}
