import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { FieldErrors } from "../errors.ts";

const importRules = () => import("./validator.ts");

/** Loads the rules in advance. If that fails, they are loaded when there is something to check. */
export function loadRules(): void {
  importRules().catch(() => {});
}

/**
 * Checks a message of this app by the rules in its contract, before it is sent. If the rules can't be loaded, for
 * example because the server is unavailable, it finds nothing: the server checks the same rules.
 */
export async function checkRules<M extends DescMessage>(schema: M, init: MessageInitShape<M>): Promise<FieldErrors> {
  const rules = await importRules().catch(() => undefined);
  return rules?.validateOwn(schema, init) ?? {};
}

/**
 * Checks a message of any contract by the rules in its descriptor. If its code can't be loaded, it finds nothing.
 *
 * @throws Error for rules that can't be checked here.
 */
export async function checkMessage(type: DescMessage, message: Message): Promise<FieldErrors> {
  const rules = await importRules().catch(() => undefined);
  return rules?.validateMessage(type, message) ?? {};
}
