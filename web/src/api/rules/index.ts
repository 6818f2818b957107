import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { FieldErrors } from "../errors.ts";

const importRules = () => import("./validator.ts");

/** Loads the rules in advance. If that fails, {@link checkRules} tries again. */
export function loadRules(): void {
  importRules().catch(() => {});
}

/**
 * Checks a message by the rules in its contract, before it is sent. It finds nothing
 * if the rules can't be loaded, such as when the server is away: the server checks
 * the same ones.
 */
export async function checkRules<M extends DescMessage>(schema: M, init: MessageInitShape<M>): Promise<FieldErrors> {
  const rules = await importRules().catch(() => undefined);
  return rules?.validateMessage(schema, init) ?? {};
}
