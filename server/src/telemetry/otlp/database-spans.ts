import { type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { ERROR_TYPE } from "../rpc-names.ts";

/** Operations of a repository that are queries, as SQL calls them. */
const OPERATIONS: Readonly<Record<string, string>> = {
  find: "SELECT",
  findMany: "SELECT",
  count: "SELECT",
  list: "SELECT",
  listEncoded: "SELECT",
  insert: "INSERT",
  update: "UPDATE",
  delete: "DELETE",
  // The log of changes. All else of it is read for all watchers, and part of no call.
  history: "SELECT",
};

/**
 * Wraps a repository of users, so that what a recorded call asks of it has a span each. The span of a write ends with
 * its commit. The same holds for its part `changes`.
 *
 * @param system Name of the database by OpenTelemetry's conventions, such as `sqlite`.
 */
export function traceRepository<T extends object>(
  repository: T,
  system: string,
  tracer: Tracer,
  collection = "users",
): T {
  const methods = Object.fromEntries(
    methodNames(repository).map((name) => {
      const call = (Reflect.get(repository, name) as Method).bind(repository);
      const operation = OPERATIONS[name];
      return [name, operation === undefined ? call : withSpan(call, operation, system, tracer, collection)];
    }),
  );
  const changes: unknown = Reflect.get(repository, "changes");
  const parts = changes instanceof Object ? { changes: traceRepository(changes, system, tracer, "changes") } : {};
  return Object.assign(Object.create(repository), methods, parts);
}

type Method = (...args: unknown[]) => unknown;

/** Lists the methods of an object, those of its classes included. */
function methodNames(object: object): string[] {
  const names = new Set<string>();
  for (let each = object; each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    for (const name of Object.getOwnPropertyNames(each)) names.add(name);
  }
  names.delete("constructor");
  return [...names].filter((name) => typeof Reflect.get(object, name) === "function");
}

function withSpan(call: Method, operation: string, system: string, tracer: Tracer, collection: string): Method {
  const attributes = { "db.system.name": system, "db.operation.name": operation, "db.collection.name": collection };
  return (...args) => {
    if (!trace.getActiveSpan()?.isRecording()) return call(...args);
    const span = tracer.startSpan(`${operation} ${collection}`, { kind: SpanKind.CLIENT, attributes });
    const result = call(...args);
    if (result instanceof Promise) {
      result.then(
        () => span.end(),
        (error: unknown) => endWithError(span, error),
      );
    } else span.end();
    return result;
  };
}

function endWithError(span: Span, error: unknown): void {
  span.setAttribute(ERROR_TYPE, error instanceof Error ? error.name : "_OTHER");
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
