import type { DescMethod } from "@bufbuild/protobuf";
import type { Session } from "./session.ts";

/** Scopes by method, as the contract has them. The build reads them, so that no page loads what reads options. */
declare const METHOD_SCOPES: Readonly<Record<string, string | undefined>>;

/** Returns whether a session has the scope that the contract of a method names. The server alone decides. */
export function permits(session: Session | undefined, { parent, name }: DescMethod): boolean {
  const scope = METHOD_SCOPES[`${parent.typeName}/${name}`];
  return scope === undefined || (session?.scopes.includes(scope) ?? false);
}
