import { type Message, toJson } from "@bufbuild/protobuf";
import { isReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type FieldRules, FieldRulesSchema } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import type { Schema } from "./schema.ts";

/**
 * Values that a type's rules set, such as the `max_len` of a string. Each is taken once, and the rest is shown in
 * words.
 */
export class RuleValues {
  readonly #values: Map<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = new Map(values);
  }

  /** Reads a field's rules for its type; without such rules there are no values. */
  static of({ type }: FieldRules): RuleValues {
    const values = new Map<string, unknown>();
    const schema = FieldRulesSchema.fields.find(({ localName }) => localName === type.case)?.message;
    if (!schema || !type.value) return new RuleValues(values);
    const rules = reflect(schema, type.value as Message);
    for (const rule of rules.fields) if (rules.isSet(rule)) values.set(rule.name, plain(rules.get(rule)));
    return new RuleValues(values);
  }

  /** Takes a value, if it is set, and returns the keywords that `toKeywords` makes of it; otherwise none. */
  take(name: string, toKeywords: (value: unknown) => Schema): Schema {
    return this.#values.has(name) ? toKeywords(this.#remove(name)) : {};
  }

  /** Takes a number. */
  number(name: string): number | undefined {
    return this.#values.has(name) ? Number(this.#remove(name)) : undefined;
  }

  /** Drops values that are shown in another way, or not at all. */
  drop(...names: string[]): void {
    for (const name of names) this.#values.delete(name);
  }

  /** Returns the values that are left, in words. */
  words(): string[] {
    return [...this.#values].map(([name, value]) =>
      value === true ? name.replaceAll("_", " ") : `${name.replaceAll("_", " ")}: ${JSON.stringify(value)}`,
    );
  }

  #remove(name: string): unknown {
    const value = this.#values.get(name);
    this.#values.delete(name);
    return value;
  }
}

/** Returns a reflected value as JSON has it. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (isReflectMessage(value)) return toJson(value.desc, value.message);
  const isList = typeof value === "object" && value !== null && Symbol.iterator in value;
  return isList ? [...(value as Iterable<unknown>)].map(plain) : value;
}
