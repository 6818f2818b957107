import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { auth } from "@rollcall/gen/rollcall/options/v1/auth";

/** Callers that may call a method, by its contract. */
export type Permission =
  | { readonly kind: "scope"; readonly scope: string }
  | { readonly kind: "any-token" | "public" | "unstated" };

/**
 * Reads who may call a method. Other contracts, such as gRPC's own, do not say: their host decides, and the server adds
 * the permissions to the contracts that it gives.
 */
export function permissionOf(method: DescMethod): Permission {
  const { caller } = getOption(method, auth);
  if (caller.case === "scope") return { kind: "scope", scope: caller.value };
  if (!caller.value) return { kind: "unstated" };
  return { kind: caller.case === "public" ? "public" : "any-token" };
}
