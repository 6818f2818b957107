import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { FieldErrors } from "../errors.ts";

const importRules = () => import("./validator.ts");

/** Loads the rules ahead of their use; where it can't, {@link checkRules} tells no difference. */
export function loadRules(): void {
  importRules().catch(() => {});
}

/**
 * What is wrong with a message by the rules in its contract, before it is sent.
 * Nothing where the rules can't be loaded, as when the server is away: it checks
 * the same ones.
 */
export async function checkRules<M extends DescMessage>(schema: M, init: MessageInitShape<M>): Promise<FieldErrors> {
  const rules = await importRules().catch(() => undefined);
  return rules?.validateMessage(schema, init) ?? {};
}
