/** JSON Schema in the dialect of OpenAPI 3.1 (JSON Schema 2020-12), in the keywords that are used here. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly deprecated?: boolean;
  readonly format?: string;
  readonly contentEncoding?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly not?: Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly propertyNames?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly examples?: readonly unknown[];
}

const PREFIX = "#/components/schemas/";

/** Returns a reference to a schema of the document. */
export function refTo(name: string): Schema {
  return { $ref: PREFIX + name };
}

/** Returns the name of the schema that a reference leads to. */
export function nameOfRef(ref: string): string {
  return ref.slice(PREFIX.length);
}

/** Joins paragraphs of a description, and lists what follows them. */
export function describe(text: string | undefined, notes: readonly string[] = []): { description?: string } {
  const list = notes.map((note) => `- ${note.replace(/\s+/g, " ")}`).join("\n");
  const description = [text, list].filter(Boolean).join("\n\n");
  return description === "" ? {} : { description };
}
