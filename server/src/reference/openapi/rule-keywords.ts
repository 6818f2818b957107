import type { RuleValues } from "./rule-values.ts";
import type { Schema } from "./schema.ts";

/** Formats of JSON Schema, and of OpenAPI's registry, by the rules that mean the same. */
const FORMATS = {
  email: "email",
  hostname: "hostname",
  ipv4: "ipv4",
  ipv6: "ipv6",
  uri: "uri",
  uri_ref: "uri-reference",
  uuid: "uuid",
} as const;

/** Takes the rules of a string. */
export function stringKeywords(values: RuleValues): Schema {
  const patterns: Schema[] = [];
  const pattern = (name: string, toPattern: (text: string) => string) => {
    values.take(name, (text) => {
      patterns.push({ pattern: toPattern(String(text)) });
      return {};
    });
  };
  pattern("prefix", (text) => `^${escapePattern(text)}`);
  pattern("suffix", (text) => `${escapePattern(text)}$`);
  pattern("contains", escapePattern);
  pattern("pattern", String);
  values.drop("strict");
  const exact = values.number("len");
  const formats = Object.entries(FORMATS).map(([name, format]) => values.take(name, () => ({ format })));
  const [first, ...others] = patterns;
  return Object.assign(
    {
      ...values.take("min_len", (length) => ({ minLength: Number(length) })),
      ...values.take("max_len", (length) => ({ maxLength: Number(length) })),
      ...(exact !== undefined && { minLength: exact, maxLength: exact }),
      ...values.take("ip", () => ({ anyOf: [{ format: "ipv4" }, { format: "ipv6" }] })),
      ...setKeywords(values),
      ...values.take("not_contains", (text) => ({ not: { pattern: escapePattern(String(text)) } })),
      ...values.take("example", (examples) => ({ examples: examples as unknown[] })),
      ...first,
      ...(others.length > 0 && { allOf: others }),
    },
    ...formats,
  );
}

/** Takes the rules of a number that JSON has as a number. */
export function numberKeywords(values: RuleValues): Schema {
  const [lt, lte, gt, gte] = ["lt", "lte", "gt", "gte"].map((name) => values.number(name));
  const above = {
    ...(gt !== undefined && { exclusiveMinimum: gt }),
    ...(gte !== undefined && { minimum: gte }),
  };
  const below = {
    ...(lt !== undefined && { exclusiveMaximum: lt }),
    ...(lte !== undefined && { maximum: lte }),
  };
  const least = gt ?? gte ?? Number.NEGATIVE_INFINITY;
  const most = lt ?? lte ?? Number.POSITIVE_INFINITY;
  values.drop("finite");
  return {
    // If the least value is above the greatest, the rule means values outside the two (buf/validate/validate.proto).
    ...(least > most ? { anyOf: [above, below] } : { ...above, ...below }),
    ...setKeywords(values),
    ...values.take("example", (examples) => ({ examples: examples as unknown[] })),
  };
}

/** Takes the rules that list values. */
export function setKeywords(values: RuleValues, nameOf: (value: unknown) => unknown = (value) => value): Schema {
  return {
    ...values.take("const", (value) => ({ const: nameOf(value) })),
    ...values.take("in", (list) => ({ enum: (list as unknown[]).map(nameOf) })),
    ...values.take("not_in", (list) => ({ not: { enum: (list as unknown[]).map(nameOf) } })),
  };
}

/** Returns a pattern for lists of these paths, and of paths below them, as a field mask's JSON has them. */
export function fieldMaskPattern(paths: readonly string[]): string {
  const path = `(${paths.map((name) => escapePattern(toCamelCase(name))).join("|")})(\\.[^,]+)?`;
  return `^(${path}(,${path})*)?$`;
}

function toCamelCase(path: string): string {
  return path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
