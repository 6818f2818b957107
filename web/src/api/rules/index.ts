import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { FieldErrors } from "../errors.ts";

const importRules = () => import("./validator.ts");

/** Loads the rules in advance. If that fails, they are loaded when there is something to check. */
export function loadRules(): void {
  importRules().catch(() => {});
}

/**
 * Checks a message of this app by the rules in its contract, before it is sent. It finds nothing
 * if the rules can't be loaded, such as when the server is away: the server checks
 * the same ones.
 */
export async function checkRules<M extends DescMessage>(schema: M, init: MessageInitShape<M>): Promise<FieldErrors> {
  const rules = await importRules().catch(() => undefined);
  return rules?.validateOwn(schema, init) ?? {};
}

/**
 * Checks a message of any contract by the rules in its descriptor. It finds nothing if they can't be loaded.
 *
 * @throws Error for rules that can't be checked here.
 */
export async function checkMessage(type: DescMessage, message: Message): Promise<FieldErrors> {
  const rules = await importRules().catch(() => undefined);
  return rules?.validateMessage(type, message) ?? {};
}
