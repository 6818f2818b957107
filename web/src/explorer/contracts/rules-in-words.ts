import type { DescField, DescMessage, JsonObject, JsonValue, Registry } from "@bufbuild/protobuf";
import { optionOf } from "./option-of.ts";

/** Rules that bound a number of things: the endings of their names, and the things that are counted. */
const COUNTS = [
  ["Len", "character"],
  ["Bytes", "byte"],
  ["Items", "item"],
  ["Pairs", "entry"],
] as const;

/** Words for rules whose names are not descriptive. */
const WORDS: Readonly<Record<string, string>> = {
  definedOnly: "a defined value",
  unique: "no two alike",
  pattern: "matches",
  in: "one of",
  notIn: "none of",
  const: "exactly",
  prefix: "starts with",
  suffix: "ends with",
  contains: "contains",
  notContains: "does not contain",
  wellKnownRegex: "of the form",
};

/** Returns the rules of a field (buf.validate) in words, such as "1 to 200 characters". */
export function rulesOfField(field: DescField, registry: Registry): string[] {
  return describe(objectOf(optionOf(field, "buf.validate.field", registry)));
}

/** Returns the rules over a whole message in words. */
export function rulesOfMessage(message: DescMessage, registry: Registry): string[] {
  const { oneof = [], ...rules } = objectOf(optionOf(message, "buf.validate.message", registry));
  const choices = listOf(oneof).map((choice) => {
    const { fields, required } = objectOf(choice);
    return `${required ? "exactly" : "at most"} one of ${inWords(fields)}`;
  });
  return [...choices, ...describe(rules)];
}

/** Describes the rules of a field, or of each item, key or value of a field. */
function describe({ required, ignore, cel, celExpression, ...byType }: JsonObject): string[] {
  if (ignore === "IGNORE_ALWAYS") return [];
  return [
    ...(required === true ? ["required"] : []),
    ...Object.values(byType).flatMap((rules) => describeType(objectOf(rules))),
    ...listOf(cel).map((rule) => {
      const { message, expression, id } = objectOf(rule);
      return inWords(message || expression || id);
    }),
    ...listOf(celExpression).map(inWords),
    ...(ignore === "IGNORE_IF_ZERO_VALUE" ? ["or empty"] : []),
  ];
}

/** Describes the rules that fields of one type have. */
function describeType(rules: JsonObject): string[] {
  const rest = { ...rules };
  const take = (name: string) => {
    const value = rest[name];
    delete rest[name];
    return value === undefined ? undefined : inWords(value);
  };
  const words: string[] = [];
  for (const [ending, unit] of COUNTS) {
    const exact = take(ending === "Len" ? "len" : `len${ending}`);
    const [min, max] = [take(`min${ending}`), take(`max${ending}`)];
    const count = exact ?? rangeOf(min, max);
    if (count !== undefined) words.push(`${count} ${pluralOf(unit, exact ?? max ?? min)}`);
  }
  const [gte, lte, gt, lt] = [take("gte"), take("lte"), take("gt"), take("lt")];
  const range = rangeOf(gte, lte);
  if (range !== undefined) words.push(range);
  if (gt !== undefined) words.push(`more than ${gt}`);
  if (lt !== undefined) words.push(`less than ${lt}`);
  for (const [name, label] of Object.entries({ items: "each", keys: "each key", values: "each value" })) {
    const each = describe(objectOf(rest[name]));
    delete rest[name];
    if (each.length > 0) words.push(`${label}: ${each.join(", ")}`);
  }
  for (const [name, value] of Object.entries(rest)) {
    if (value === false || name === "example" || name === "strict") continue;
    const label = WORDS[name] ?? name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    words.push(value === true ? label : `${label} ${inWords(value)}`);
  }
  return words;
}

function rangeOf(min: string | undefined, max: string | undefined): string | undefined {
  if (min === undefined) return max === undefined ? undefined : `at most ${max}`;
  if (max === undefined) return `at least ${min}`;
  return min === max ? min : `${min} to ${max}`;
}

function pluralOf(unit: string, count: string | undefined): string {
  if (count === "1") return unit;
  return unit.endsWith("y") ? `${unit.slice(0, -1)}ies` : `${unit}s`;
}

function inWords(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return value.map(inWords).join(", ");
  return typeof value === "string" ? value : JSON.stringify(value ?? "");
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
