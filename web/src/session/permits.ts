import type { DescMethod } from "@bufbuild/protobuf";
import type { Session } from "./session.ts";

/**
 * Scopes by method, from the contract. They are read at build time, so that no page has to load the code that reads
 * options.
 */
declare const METHOD_SCOPES: Readonly<Record<string, string | undefined>>;

/** Returns the scope that a method's contract names; undefined for a method that needs none. */
export function scopeOf({ parent, name }: DescMethod): string | undefined {
  return METHOD_SCOPES[`${parent.typeName}/${name}`];
}

/** Returns whether a session has the scope that a method needs. The decision remains the server's. */
export function permits(session: Session | undefined, method: DescMethod): boolean {
  const scope = scopeOf(method);
  return scope === undefined || (session?.scopes.includes(scope) ?? false);
}
