import { type Attributes, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { DatabaseUnavailableError, DomainError } from "../../domain/errors.ts";
import { withQueryTrace } from "../../runtime/query-trace.ts";
import { ERROR_TYPE } from "../rpc-names.ts";
import { writeTraceParent } from "../traces/trace-parent.ts";

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
  // The log of changes. Its other reads are made for all watchers and belong to no call.
  history: "SELECT",
};

/** Facts about a database, for the spans of its queries. */
export interface TracedDatabase {
  /** Name by OpenTelemetry's conventions, such as `sqlite`. */
  readonly system: string;
  /** Address of its server; a file has none. */
  readonly server?: { readonly host: string; readonly port: number; readonly database: string };
  /** Returns the database's own code of an error. */
  readonly codeOf?: (error: unknown) => string | undefined;
}

/**
 * Wraps a repository of users, so that each query of a recorded call has a span, and runs within the trace of that
 * span. The span of a write ends with its commit. The same holds for the repository's part `changes`.
 */
export function traceRepository<T extends object>(
  repository: T,
  database: TracedDatabase,
  tracer: Tracer,
  collection = "users",
): T {
  const methods = Object.fromEntries(
    methodNames(repository).map((name) => {
      const call = (Reflect.get(repository, name) as Method).bind(repository);
      const operation = OPERATIONS[name];
      return [name, operation === undefined ? call : withSpan(call, operation, database, tracer, collection)];
    }),
  );
  const changes: unknown = Reflect.get(repository, "changes");
  const parts = changes instanceof Object ? { changes: traceRepository(changes, database, tracer, "changes") } : {};
  return Object.assign(Object.create(repository), methods, parts);
}

type Method = (...args: unknown[]) => unknown;

/** Lists the methods of an object, including those of its classes. */
function methodNames(object: object): string[] {
  const names = new Set<string>();
  for (let each = object; each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    for (const name of Object.getOwnPropertyNames(each)) names.add(name);
  }
  names.delete("constructor");
  return [...names].filter((name) => typeof Reflect.get(object, name) === "function");
}

function withSpan(
  call: Method,
  operation: string,
  database: TracedDatabase,
  tracer: Tracer,
  collection: string,
): Method {
  const attributes = attributesOf(database, operation, collection);
  return (...args) => {
    if (!trace.getActiveSpan()?.isRecording()) return call(...args);
    const span = tracer.startSpan(`${operation} ${collection}`, { kind: SpanKind.CLIENT, attributes });
    const { traceId, spanId, traceFlags } = span.spanContext();
    const result = withQueryTrace(writeTraceParent(traceId, spanId, traceFlags), () => call(...args));
    if (result instanceof Promise) {
      result.then(
        () => span.end(),
        (error: unknown) => endWithError(span, error, database),
      );
    } else span.end();
    return result;
  };
}

/** Returns the attributes of a query (semantic conventions 1.45.0 for databases). */
function attributesOf({ system, server }: TracedDatabase, operation: string, collection: string): Attributes {
  return {
    "db.system.name": system,
    "db.operation.name": operation,
    "db.collection.name": collection,
    ...(server && { "db.namespace": server.database, "server.address": server.host }),
    // The port of a Unix socket is already a part of its name.
    ...(server && !server.host.startsWith("/") && { "server.port": server.port }),
  };
}

/** Ends the span of a query that threw. A user that was not found, or an e-mail that is taken, is not a failure. */
function endWithError(span: Span, error: unknown, { codeOf }: TracedDatabase): void {
  if (!(error instanceof DomainError) || error instanceof DatabaseUnavailableError) {
    const code = codeOf?.(error);
    span.setAttribute(ERROR_TYPE, code ?? (error instanceof Error ? error.name : "_OTHER"));
    if (code !== undefined) span.setAttribute("db.response.status_code", code);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
