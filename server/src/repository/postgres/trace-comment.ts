import type { Statement } from "./statements.ts";

/**
 * Returns a statement that names its trace in a comment, in the form of sqlcommenter. It has no name: its text differs
 * each time, and preparing it would fill the server's memory. Without a trace, returns the statement itself.
 */
export function withTraceComment(statement: Statement, traceParent: string | undefined): Statement {
  return traceParent === undefined ? statement : { text: `${statement.text} /*traceparent='${traceParent}'*/` };
}
