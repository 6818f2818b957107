import type { OpenApiDocument, Operation } from "../openapi/document.ts";
import { nameOfRef, type Schema } from "../openapi/schema.ts";

/** Example texts for the formats that have a fixed form. */
const FORMATS: Readonly<Record<string, string>> = {
  email: "ada@example.com",
  uuid: "018f3b1c-0000-7000-8000-000000000000",
  "date-time": "2026-01-01T00:00:00Z",
  uri: "https://example.com",
};

/** Depth of nested messages that an example shows. */
const MAX_DEPTH = 4;

/** Returns an example of a message with its required fields; texts to fill in are "…". */
export function exampleOf(schema: Schema, schemas: Readonly<Record<string, Schema>>, depth = 0): unknown {
  if (schema.$ref) return exampleOf(schemas[nameOfRef(schema.$ref)] ?? {}, schemas, depth);
  const { examples, const: constant, enum: values, type, format = "", minimum = 0, properties = {} } = schema;
  if (examples) return examples[0];
  if (constant !== undefined) return constant;
  if (values) return values[0];
  switch (type) {
    case "object": {
      if (depth > MAX_DEPTH) return {};
      const { required = [] } = schema;
      return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name] ?? {}, schemas, depth + 1)]));
    }
    case "array":
      return (schema.minItems ?? 0) > 0 ? [exampleOf(schema.items ?? {}, schemas, depth + 1)] : [];
    case "string":
      return FORMATS[format] ?? "…";
    case "boolean":
      return true;
    default:
      return Math.max(minimum, 0);
  }
}

/** Returns a command that makes a call. It takes the server's address and the token from `URL` and `TOKEN`. */
export function commandFor(
  path: string,
  verb: "get" | "post",
  operation: Operation,
  { components: { schemas } }: OpenApiDocument,
): string {
  const token = operation.security.length > 0 ? ` -H "authorization: Bearer $TOKEN"` : "";
  const [[type = "", { schema = {} } = {}] = []] = Object.entries(
    operation.requestBody?.content ??
      operation.parameters.flatMap((one) => ("content" in one ? [one.content] : []))[0] ??
      {},
  );
  const message = quote(JSON.stringify(exampleOf(schema, schemas)));
  if (verb === "get")
    return `curl -G "$URL${path}"${token} \\\n  --data-urlencode encoding=json --data-urlencode message=${message}`;
  if (type !== "application/json")
    return `buf curl --protocol grpc --http2-prior-knowledge${token} \\\n  -d ${message} "$URL${path}"`;
  return `curl "$URL${path}"${token} \\\n  -H 'content-type: application/json' -d ${message}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
