import { type DescEnum, type DescField, type DescMessage, getOption, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { message as messageRules, oneof as oneofRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { scalarSchemas, wellKnownSchemas } from "./json-types.ts";
import { withRules } from "./rules.ts";
import { describe, refTo, type Schema } from "./schema.ts";

export interface MessageSchemasOptions {
  /** Returns the comment of an element, by its full name. */
  commentOf(name: string): string | undefined;
  /** Returns the names of required fields: those whose zero value breaks a rule. */
  missingIn(schema: DescMessage): ReadonlySet<string>;
}

/** Schemas of messages and enums in Protobuf's JSON form. Each is made when it is first referred to. */
export class MessageSchemas {
  readonly #options: MessageSchemasOptions;
  readonly #types = new Map<string, DescMessage | DescEnum>();
  readonly #answered = new Set<string>();

  constructor(options: MessageSchemasOptions) {
    this.#options = options;
  }

  /** Adds the type of a request, with all that it contains, and returns a reference to it. */
  request(type: DescMessage): Schema {
    return this.#add(type, new Set(this.#types.keys()));
  }

  /** Adds the type of an answer. It stays open: a newer server may have more fields. */
  answer(type: DescMessage): Schema {
    return this.#add(type, this.#answered);
  }

  /** Returns all schemas by their names, sorted. */
  all(): Record<string, Schema> {
    const names = [...this.#types.keys()].sort();
    return Object.fromEntries(names.map((name) => [name, this.#schemaOf(name)]));
  }

  #add(type: DescMessage | DescEnum, seen: Set<string>): Schema {
    const { typeName } = type;
    if (seen.has(typeName)) return refTo(typeName);
    seen.add(typeName);
    this.#types.set(typeName, type);
    if (type.kind === "message" && !(typeName in wellKnownSchemas)) {
      for (const { message, enum: enumeration } of type.fields) {
        const inner = message ?? enumeration;
        if (inner) this.#add(inner, seen);
      }
    }
    return refTo(typeName);
  }

  #schemaOf(name: string): Schema {
    const type = this.#types.get(name);
    const wellKnown = wellKnownSchemas[name];
    if (wellKnown || !type) return { title: name.replace(/^.*\./, ""), ...wellKnown };
    return type.kind === "enum" ? this.#enumSchema(type) : this.#messageSchema(type);
  }

  #enumSchema({ typeName, name, values, ...type }: DescEnum): Schema {
    const { commentOf } = this.#options;
    const notes = values.flatMap((value) => {
      const comment = commentOf(`${typeName}.${value.name}`);
      return comment === undefined ? [] : [`${value.name}: ${comment.replaceAll("\n", " ")}`];
    });
    return {
      type: "string",
      title: name,
      ...describe(commentOf(typeName), notes),
      enum: values.map((value) => value.name),
      ...(type.deprecated && { deprecated: true }),
    };
  }

  #messageSchema(type: DescMessage): Schema {
    const missing = this.#options.missingIn(type);
    const isRequired = (field: DescField) =>
      missing.has(field.name) || field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED;
    const properties = type.fields.map((field) => [field.jsonName, this.#fieldSchema(field, isRequired(field))]);
    const required = type.fields.filter(isRequired).map(({ jsonName }) => jsonName);
    const { notes, choices } = choicesOf(type);
    return {
      type: "object",
      title: type.name,
      ...describe(this.#options.commentOf(type.typeName), notes),
      properties: Object.fromEntries(properties),
      ...(required.length > 0 && { required }),
      ...(choices.length > 0 && { allOf: choices }),
      ...(!this.#answered.has(type.typeName) && { additionalProperties: false }),
      ...(type.deprecated && { deprecated: true }),
    };
  }

  #fieldSchema(field: DescField, isRequired: boolean): Schema {
    const { schema, notes } = withRules(field, typeOf(field));
    const { minLength = 0 } = schema;
    const isText = field.fieldKind === "scalar" && field.scalar === ScalarType.STRING;
    // A text without presence that can't be missing can't be empty.
    const isFilled = isText && isRequired && field.presence === FeatureSet_FieldPresence.IMPLICIT;
    return {
      ...schema,
      ...(isFilled && minLength === 0 && !schema.format && { minLength: 1 }),
      ...describe(this.#options.commentOf(`${field.parent.typeName}.${field.name}`), notes),
      ...(field.deprecated && { deprecated: true }),
    };
  }
}

/** Returns the schema of a field's type, without its rules. */
function typeOf(field: DescField): Schema {
  switch (field.fieldKind) {
    case "scalar":
      return scalarSchemas[field.scalar];
    case "enum":
      return refTo(field.enum.typeName);
    case "message":
      return refTo(field.message.typeName);
    case "list":
      return { type: "array", items: elementOf(field) };
    case "map":
      return { type: "object", additionalProperties: elementOf(field) };
  }
}

function elementOf({ message, enum: enumeration, scalar }: DescField & { fieldKind: "list" | "map" }): Schema {
  const type = message ?? enumeration;
  return type ? refTo(type.typeName) : scalarSchemas[scalar ?? ScalarType.STRING];
}

/** Returns the rules of a message that concern several fields: oneofs as schemas, expressions in words. */
function choicesOf(type: DescMessage): { choices: Schema[]; notes: string[] } {
  const rules = getOption(type, messageRules);
  const oneofs = type.oneofs.map((oneof) => ({
    fields: oneof.fields.map(({ jsonName }) => jsonName),
    required: getOption(oneof, oneofRules).required,
  }));
  const jsonNameOf = (name: string) => type.fields.find((field) => field.name === name)?.jsonName ?? name;
  const virtual = rules.oneof.map(({ fields, required }) => ({ fields: fields.map(jsonNameOf), required }));
  const expressions = rules.cel.map(({ id, message, expression }) => {
    // A rule's id begins with the name of the field that it is about.
    const [field = ""] = id.split(".", 1);
    return message ? `${field}: ${message}, unless \`${expression}\`` : `\`${expression}\``;
  });
  const all = [...oneofs, ...virtual];
  const words = all.map(({ fields, required }) => {
    const names = fields.map((name) => `\`${name}\``).join(", ");
    return `${required ? "exactly" : "at most"} one of ${names}`;
  });
  return {
    choices: all.map(({ fields, required }) => {
      const one: Schema[] = fields.map((name) => ({ required: [name] }));
      return { oneOf: required ? one : [...one, { not: { anyOf: one } }] };
    }),
    notes: [...words, ...expressions, ...rules.celExpression.map((expression) => `\`${expression}\``)],
  };
}
