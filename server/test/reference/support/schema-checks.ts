import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { OpenApiDocument, Operation, Response } from "../../../src/reference/openapi/document.ts";
import { refTo, type Schema } from "../../../src/reference/openapi/schema.ts";

export interface SchemaChecks {
  /** Returns whether a message is a valid request of the method at a path. */
  isRequest(path: string, message: unknown): boolean;
  /** Returns whether a value conforms to the schema of a type. */
  isValid(type: string, value: unknown): boolean;
  /**
   * Checks an answer.
   *
   * @throws Error that names the fault.
   */
  assertAnswer(path: string, verb: "get" | "post", status: number, answer: unknown): void;
}

/** Creates checks of messages against the schemas of a document. A field that is not described is an error. */
export function createSchemaChecks(document: OpenApiDocument): SchemaChecks {
  const closed: OpenApiDocument = structuredClone(document);
  for (const schema of Object.values(closed.components.schemas) as {
    properties?: unknown;
    additionalProperties?: unknown;
  }[]) {
    if (schema.properties) schema.additionalProperties ??= false;
  }
  const ajv = new Ajv2020({ strict: false, allErrors: true, schemas: { document: closed } });
  addFormats.default(ajv);
  ajv.addFormat("uint32", true).addFormat("uint64", true);
  const compile = (schema: Schema) =>
    ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#', '"$ref":"document#')));
  const jsonOf = (content: Response["content"]) => content?.["application/json"]?.schema;
  return {
    isRequest(path, message) {
      const schema = jsonOf(closed.paths[path]?.post.requestBody?.content);
      if (!schema) throw new Error(`${path} takes no JSON`);
      return compile(schema)(message);
    },
    isValid: (type, value) => compile(refTo(type))(value),
    assertAnswer(path, verb, status, answer) {
      const operation: Operation | undefined = closed.paths[path]?.[verb];
      const found = operation?.responses[status];
      const name = found && "$ref" in found ? found.$ref.split("/").at(-1) : undefined;
      const response = name === undefined ? (found as Response | undefined) : closed.components.responses[name];
      const schema = jsonOf(response?.content);
      if (!schema) throw new Error(`${path}: ${status} is not described`);
      const check = compile(schema);
      if (!check(answer)) throw new Error(`${path} ${status}: ${JSON.stringify(check.errors)}`);
    },
  };
}
