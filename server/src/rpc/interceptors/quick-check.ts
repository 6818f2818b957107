import { type DescField, type DescMessage, getOption, hasOption, isFieldSet, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  FieldRulesSchema,
  field as fieldRules,
  Ignore,
  type Int32Rules,
  Int32RulesSchema,
  message as messageRules,
  oneof as oneofRules,
  RepeatedRulesSchema,
  type StringRules,
  StringRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** Returns true only for a message that surely breaks no rule. */
export type QuickCheck = (message: Message) => boolean;

type ValueCheck = (value: unknown) => boolean;
type TextCheck = (text: string) => boolean;

/** No character can match in two ways, so a long text fails as fast as it passes. */
const visibleAscii: TextCheck = (text) => /^ *[\x21-\x7e][\x20-\x7e]*$/.test(text);
/** The same expression as protovalidate's, which comes from HTML. */
const email: TextCheck = (text) =>
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/.test(
    text,
  );

/** Quick checks for expressions of the contract. A text that passes is sure to meet the expression. */
const expressions: ReadonlyMap<string, TextCheck> = new Map([
  ["this != ''", (text: string) => text !== ""],
  ["!this.matches('[\\\\x00-\\\\x1f\\\\x7f]')", (text: string) => /^[\x20-\x7e]*$/.test(text)],
  [
    "this.matches('^ *(|(create_time|created_at|update_time|updated_at|name|email)( +desc)?) *$')",
    (text: string) => /^(|(create_time|update_time|name|email)( desc)?)$/.test(text),
  ],
  ["this.matches('^[\\\\x21-\\\\x7e]*$')", (text: string) => /^[\x21-\x7e]*$/.test(text)],
  [
    "this == '' || (this.matches('[^\\\\pZ\\\\pC\\\\pM\\\\x{115f}\\\\x{1160}\\\\x{2800}\\\\x{3164}\\\\x{ffa0}\\\\x{13441}\\\\x{13442}\\\\x{1d159}]') && !this.matches('[\\\\p{Cc}\\\\p{Zl}\\\\p{Zp}\\\\x{202a}-\\\\x{202e}\\\\x{2066}-\\\\x{2069}]'))",
    (text: string) => text === "" || visibleAscii(text),
  ],
]);

/**
 * Compiles the rules of a message to a check that takes a fraction of protovalidate's time, and lets most good messages
 * pass. All other messages go to protovalidate, which decides and words the violations.
 *
 * @returns Undefined for a message with a rule that is not known here.
 */
export function createQuickCheck(schema: DescMessage): QuickCheck | undefined {
  if (hasOption(schema, messageRules) || schema.oneofs.some((oneof) => hasOption(oneof, oneofRules))) return undefined;
  const checks: { name: string; check: ValueCheck }[] = [];
  for (const field of schema.fields) {
    const check = checkOf(field);
    if (!check) return undefined;
    if (check !== anything) checks.push({ name: field.localName, check });
  }
  return (message) => {
    const values = message as unknown as Record<string, unknown>;
    for (const { name, check } of checks) if (!check(values[name])) return false;
    return true;
  };
}

const anything: ValueCheck = () => true;

function checkOf(field: DescField): ValueCheck | undefined {
  if (field.fieldKind === "list" && field.listKind === "scalar") return listCheck(field);
  // The fields of a nested message have rules of their own.
  if (field.fieldKind !== "scalar" || field.oneof || field.presence === FeatureSet_FieldPresence.EXPLICIT)
    return undefined;
  if (!hasOption(field, fieldRules)) return anything;
  const rules = getOption(field, fieldRules);
  if (rules.ignore !== Ignore.UNSPECIFIED) return undefined;
  if (rules.type.case === "string") return stringCheck(rules, rules.type.value);
  if (rules.type.case === "int32") return int32Check(rules, rules.type.value);
  return undefined;
}

function listCheck(field: DescField): ValueCheck | undefined {
  if (!hasOption(field, fieldRules)) return anything;
  const rules = getOption(field, fieldRules);
  if (!hasOnly(FieldRulesSchema, rules, ["repeated"]) || rules.type.case !== "repeated") return undefined;
  const { value: repeated } = rules.type;
  if (!hasOnly(RepeatedRulesSchema, repeated, ["min_items", "max_items", "items"])) return undefined;
  const { minItems, maxItems, items } = repeated;
  const most = isFieldSet(repeated, RepeatedRulesSchema.field.maxItems) ? maxItems : Number.POSITIVE_INFINITY;
  const check = items?.type.case === "string" ? stringCheck(items, items.type.value) : undefined;
  return (
    check && ((value) => Array.isArray(value) && value.length >= minItems && value.length <= most && value.every(check))
  );
}

function stringCheck(rules: FieldRules, string: StringRules): ValueCheck | undefined {
  const { minLen, maxLen, wellKnown } = string;
  const known = ["min_len", "max_len", "email"];
  if (!hasOnly(FieldRulesSchema, rules, ["string", "cel"]) || !hasOnly(StringRulesSchema, string, known))
    return undefined;
  const checks: TextCheck[] = [];
  // The number of characters is at most the number of UTF-16 units, and at least half of it.
  if (minLen > 0) checks.push((text) => text.length > 2 * (Number(minLen) - 1));
  if (isFieldSet(string, StringRulesSchema.field.maxLen)) checks.push((text) => text.length <= maxLen);
  if (wellKnown.case === "email" && wellKnown.value) checks.push(email);
  for (const { expression } of rules.cel) {
    const check = expressions.get(expression);
    if (!check) return undefined;
    checks.push(check);
  }
  return (value) => typeof value === "string" && checks.every((check) => check(value));
}

function int32Check(rules: FieldRules, int32: Int32Rules): ValueCheck | undefined {
  const { greaterThan, lessThan } = int32;
  if (!hasOnly(FieldRulesSchema, rules, ["int32"]) || !hasOnly(Int32RulesSchema, int32, ["gte", "lte"]))
    return undefined;
  const least = greaterThan.case === "gte" ? greaterThan.value : Number.NEGATIVE_INFINITY;
  const most = lessThan.case === "lte" ? lessThan.value : Number.POSITIVE_INFINITY;
  // If the least value is above the greatest, the rule means values outside the two.
  if (least > most) return undefined;
  return (value) => typeof value === "number" && value >= least && value <= most;
}

/** Returns whether only the named fields are set, and there are no fields that this version does not know. */
function hasOnly(schema: DescMessage, message: Message, names: readonly string[]): boolean {
  const rules = reflect(schema, message);
  return !message.$unknown?.length && rules.fields.every((rule) => names.includes(rule.name) || !rules.isSet(rule));
}
