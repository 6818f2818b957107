import { nameOfRef, type Schema } from "../openapi/schema.ts";
import { type Html, type HtmlValue, html, join } from "./html.ts";

/** Ranges of 32-bit integers. They are not shown, since the type's name implies them. */
const TYPE_BOUNDS = new Set([-(2 ** 31), 2 ** 31 - 1, 2 ** 32 - 1]);

/** Renders the type of a value, with a link to a type of the document. */
export function typeWords(schema: Schema): Html {
  const { $ref, type, format, contentEncoding, items, additionalProperties, anyOf } = schema;
  if ($ref) {
    const name = nameOfRef($ref);
    return html`<a href="#${name}">${name.split(".").at(-1)}</a>`;
  }
  if (type === "array") return html`list of ${typeWords(items ?? {})}`;
  if (type === "object" && typeof additionalProperties === "object")
    return html`map of ${typeWords(additionalProperties)}`;
  if (!type) {
    const number = anyOf?.find((one) => one.type === "number");
    return html`${number ? number.format : "any"}`;
  }
  return html`${join([type, format ?? contentEncoding].filter(Boolean), ", ")}`;
}

/** Renders a value's rules beyond its type, as a list of short texts. */
export function ruleWords(schema: Schema): HtmlValue[] {
  const { anyOf, items, enum: values, not, uniqueItems, pattern, format } = schema;
  const rules: HtmlValue[] = [
    range(schema.minLength, schema.maxLength, "character"),
    range(schema.minItems, schema.maxItems, "item"),
    range(schema.minProperties, schema.maxProperties, "entry"),
    number(schema),
    schema.const === undefined ? undefined : html`has to be <code>${JSON.stringify(schema.const)}</code>`,
    values && html`one of ${codes(values)}`,
    not?.enum && html`none of ${codes(not.enum)}`,
    uniqueItems ? "no two alike" : undefined,
    pattern && !/^u?int64$/.test(format ?? "") ? html`matches <code>${pattern}</code>` : undefined,
  ];
  const [zero, other] = anyOf ?? [];
  if (other && zero && "const" in zero) {
    const words = [other.format, ...ruleWords(other)].filter(Boolean);
    rules.push(html`empty, or ${join(words, ", ")}`);
  }
  const each = items ? ruleWords(items) : [];
  if (each.length > 0) rules.push(html`each ${join(each, ", ")}`);
  return rules.filter((rule) => rule !== undefined);
}

function codes(values: readonly unknown[]): HtmlValue {
  return join(
    values.map((value) => html`<code>${String(value)}</code>`),
    ", ",
  );
}

function number({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string | undefined {
  const bound = (value: number | undefined) => (TYPE_BOUNDS.has(value ?? Number.NaN) ? undefined : value);
  const least = bound(minimum);
  const most = bound(maximum);
  const words = [
    least !== undefined && most !== undefined ? `${least} to ${most}` : undefined,
    least !== undefined && most === undefined ? `at least ${least}` : undefined,
    least === undefined && most !== undefined ? `at most ${most}` : undefined,
    exclusiveMinimum === undefined ? undefined : `more than ${exclusiveMinimum}`,
    exclusiveMaximum === undefined ? undefined : `less than ${exclusiveMaximum}`,
  ].filter((word) => word !== undefined);
  return words.length === 0 ? undefined : words.join(", ");
}

function range(least: number | undefined, most: number | undefined, unit: string): string | undefined {
  const of = (count: number) => `${count} ${count === 1 ? unit : unit.replace(/y$/, "ie")}${count === 1 ? "" : "s"}`;
  if (least !== undefined && least === most) return of(least);
  if (least && most !== undefined) return `${least} to ${of(most)}`;
  if (most !== undefined) return `at most ${of(most)}`;
  return least ? `at least ${of(least)}` : undefined;
}
