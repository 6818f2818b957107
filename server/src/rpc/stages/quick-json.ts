import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { isObject } from "../is-object.ts";

/** Longest text that is read quickly, in characters. Only short texts gain from it. */
const MAX_LENGTH = 4_096;
const MAX_INT32 = 0x7fff_ffff;
const MIN_INT32 = -0x8000_0000;

/** Returns a JSON message, or undefined for a text that protobuf-es has to read. */
export type QuickJson = (text: string) => Message | undefined;

/**
 * Creates a reader of plain JSON messages: known fields by their JSON names, with texts and whole numbers, without
 * escapes. It takes a fraction of protobuf-es's time. All other texts are left to protobuf-es, which alone words the
 * errors.
 *
 * @returns Undefined for a message without such fields.
 */
export function createQuickJson(schema: DescMessage): QuickJson | undefined {
  const fields = new Map(schema.fields.filter(isPlain).map((field) => [field.jsonName, field]));
  if (fields.size === 0 || schema.typeName.startsWith("google.protobuf.")) return undefined;
  return (text) => {
    if (text.length > MAX_LENGTH || text.includes("\\")) return undefined;
    const json = parse(text);
    if (!isObject(json)) return undefined;
    const message = create(schema) as Message & Record<string, unknown>;
    let quotes = 0;
    for (const name of Object.keys(json)) {
      const value = json[name];
      const field = fields.get(name);
      if (!field) return undefined;
      if (field.scalar === ScalarType.STRING) {
        if (typeof value !== "string") return undefined;
        quotes += 4;
      } else {
        if (!isInt32(value)) return undefined;
        quotes += 2;
      }
      message[field.localName] = value;
    }
    // If a name occurs twice, JSON.parse keeps the last member. The text then has more quotes than the message.
    return countQuotes(text) === quotes ? message : undefined;
  };
}

function isPlain(field: DescField): field is DescField & { fieldKind: "scalar" } {
  if (field.fieldKind !== "scalar" || field.presence !== FeatureSet_FieldPresence.IMPLICIT) return false;
  return field.scalar === ScalarType.STRING || field.scalar === ScalarType.INT32;
}

function isInt32(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= MIN_INT32 && Number(value) <= MAX_INT32 && !Object.is(value, -0);
}

function countQuotes(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) count += 1;
  return count;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
