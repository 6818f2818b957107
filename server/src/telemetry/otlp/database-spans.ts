import { type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { ERROR_TYPE } from "../rpc-names.ts";

/** Operations of a repository that are queries, as SQL calls them. */
const OPERATIONS: Readonly<Record<string, string>> = {
  find: "SELECT",
  list: "SELECT",
  listEncoded: "SELECT",
  insert: "INSERT",
  update: "UPDATE",
  delete: "DELETE",
};

/**
 * Wraps a repository of users, so that what a recorded call asks of it has a span each. The span of a write ends with
 * its commit.
 *
 * @param system Name of the database by OpenTelemetry's conventions, such as `sqlite`.
 */
export function traceRepository<T extends object>(repository: T, system: string, tracer: Tracer): T {
  const traced = new Map<PropertyKey, unknown>();
  return new Proxy(repository, {
    get(target, key) {
      const known = traced.get(key);
      if (known) return known;
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      const operation = typeof key === "string" ? OPERATIONS[key] : undefined;
      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args);
      const method = operation === undefined ? call : withSpan(call, operation, system, tracer);
      traced.set(key, method);
      return method;
    },
  });
}

function withSpan(call: (...args: unknown[]) => unknown, operation: string, system: string, tracer: Tracer) {
  const attributes = { "db.system.name": system, "db.operation.name": operation, "db.collection.name": "users" };
  return (...args: unknown[]): unknown => {
    if (!trace.getActiveSpan()?.isRecording()) return call(...args);
    const span = tracer.startSpan(`${operation} users`, { kind: SpanKind.CLIENT, attributes });
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
