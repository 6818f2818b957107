import type { DescMethod } from "@bufbuild/protobuf";
import type { Session } from "./session.ts";

/** Scopes by method, as the contract has them. The build reads them, so that no page loads what reads options. */
declare const METHOD_SCOPES: Readonly<Record<string, string | undefined>>;

/** Returns the scope that the contract of a method names; undefined for a method that asks for none. */
export function scopeOf({ parent, name }: DescMethod): string | undefined {
  return METHOD_SCOPES[`${parent.typeName}/${name}`];
}

/** Returns whether a session has the scope that a method needs. The server alone decides. */
export function permits(session: Session | undefined, method: DescMethod): boolean {
  const scope = scopeOf(method);
  return scope === undefined || (session?.scopes.includes(scope) ?? false);
}
