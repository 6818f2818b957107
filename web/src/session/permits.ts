import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { auth } from "@rollcall/gen/rollcall/options/v1/auth";
import type { Session } from "./session.ts";

/** Returns whether a session has the scope that the contract of a method names. The server alone decides. */
export function permits(session: Session | undefined, method: DescMethod): boolean {
  const { caller } = getOption(method, auth);
  return caller.case !== "scope" || (session?.scopes.includes(caller.value) ?? false);
}
