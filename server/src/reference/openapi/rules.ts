import { type DescEnum, type DescField, getOption, hasOption } from "@bufbuild/protobuf";
import { type FieldRules, field as fieldRules, Ignore } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { fieldMaskPattern, numberKeywords, setKeywords, stringKeywords } from "./rule-keywords.ts";
import { RuleValues } from "./rule-values.ts";
import type { Schema } from "./schema.ts";

/** Schema for a field's rules, and in words the rules that have no keyword in it. */
export interface Ruled {
  readonly schema: Schema;
  readonly notes: readonly string[];
}

/**
 * Adds the rules that a field has in its contract (protovalidate) to the schema of its type.
 *
 * @param type Schema of the field's type. That of a list or a map has the type of its elements.
 */
export function withRules(field: DescField, type: Schema): Ruled {
  const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
  if (!rules || rules.ignore === Ignore.ALWAYS) return { schema: type, notes: [] };
  const { schema, notes } = translate(rules, type, field.enum);
  if (rules.ignore !== Ignore.IF_ZERO_VALUE || Object.keys(schema).length === 0)
    return { schema: { ...type, ...schema }, notes };
  return { schema: { ...type, anyOf: [{ const: zeroOf(type) }, schema] }, notes };
}

function zeroOf({ type }: Schema): unknown {
  if (type === "array") return [];
  if (type === "object") return {};
  if (type === "boolean") return false;
  return type === "string" ? "" : 0;
}

/** Returns the schema keywords for rules, and the rules that have none, in words. */
function translate(rules: FieldRules, type: Schema, enumeration: DescEnum | undefined): Ruled {
  // The list of required fields shows this one already.
  const told = rules.cel.filter(({ id }) => !id.endsWith(".required"));
  const expressions = told.map(({ message, expression }) => message || `\`${expression}\``);
  const notes = [...expressions, ...rules.celExpression.map((expression) => `\`${expression}\``)];
  const values = RuleValues.of(rules);
  const schema = keywordsFor(rules, values, type, enumeration, notes);
  notes.push(...values.words());
  return { schema, notes };
}

function keywordsFor(
  { type: rule }: FieldRules,
  values: RuleValues,
  type: Schema,
  enumeration: DescEnum | undefined,
  notes: string[],
): Schema {
  const within = (subject: string, rules: FieldRules | undefined, element: Schema | undefined) => {
    if (!rules) return undefined;
    const inner = translate(rules, element ?? {}, enumeration);
    notes.push(...inner.notes.map((note) => `${subject}: ${note}`));
    return { ...element, ...inner.schema };
  };
  switch (rule.case) {
    case "string":
      return stringKeywords(values);
    case "bytes":
      return bytesKeywords(values);
    case "bool":
      return setKeywords(values);
    case "enum":
      values.drop("defined_only");
      return setKeywords(values, (value) => enumeration?.values.find(({ number }) => number === value)?.name ?? value);
    case "repeated": {
      values.drop("items");
      const items = within("each", rule.value.items, type.items);
      return {
        ...values.take("min_items", (count) => ({ minItems: Number(count) })),
        ...values.take("max_items", (count) => ({ maxItems: Number(count) })),
        ...values.take("unique", (isUnique) => (isUnique === true ? { uniqueItems: true } : {})),
        ...(items && { items }),
      };
    }
    case "map": {
      values.drop("keys", "values");
      const propertyNames = within("each key", rule.value.keys, type.propertyNames);
      const element = typeof type.additionalProperties === "object" ? type.additionalProperties : undefined;
      const additionalProperties = within("each value", rule.value.values, element);
      return {
        ...values.take("min_pairs", (count) => ({ minProperties: Number(count) })),
        ...values.take("max_pairs", (count) => ({ maxProperties: Number(count) })),
        ...(propertyNames && { propertyNames }),
        ...(additionalProperties && { additionalProperties }),
      };
    }
    case "fieldMask":
      return values.take("in", (paths) => ({ pattern: fieldMaskPattern(paths as string[]) }));
    case "any":
    case "duration":
    case "timestamp":
    case undefined:
      return {};
    default:
      // JSON has a 64-bit number as a text, which has no bounds; the bounds are shown in words instead.
      return type.type === "string" ? {} : numberKeywords(values);
  }
}

/**
 * Takes the rules for the length of bytes. Base64 needs four characters for three bytes, with or without padding at the
 * end.
 */
function bytesKeywords(values: RuleValues): Schema {
  const exact = values.number("len");
  const least = exact ?? values.number("min_len");
  const most = exact ?? values.number("max_len");
  if (least === undefined && most === undefined) return {};
  const characters = (count: number) => Math.ceil((count * 4) / 3);
  const limit = most === undefined ? "" : characters(most);
  return { pattern: `^[\\w+/-]{${characters(least ?? 0)},${limit}}={0,2}$` };
}
