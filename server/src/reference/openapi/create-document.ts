import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "@rollcall/gen/google/rpc/error_details";
import { ErrorReasonSchema } from "@rollcall/gen/rollcall/errors/v1/error_reason";
import type { CallableService, OpenApiDocument } from "./document.ts";
import { errorResponses, errorSchemas } from "./errors.ts";
import { MessageSchemas, type MessageSchemasOptions } from "./messages.ts";
import { headers, operationsOf, parameters, TOKEN } from "./operations.ts";

export interface DocumentOptions extends MessageSchemasOptions {
  /** Services in the order in which they are shown. */
  services: readonly CallableService[];
  /** Version of the server. */
  version: string;
}

const DESCRIPTION = `Every method is a POST of JSON to its path; a read is a GET too. gRPC, gRPC-Web and Connect clients call the same methods, in binary or JSON. A field that is not set, and one with its type's zero value, may be missing.

A token, \`authorization: Bearer …\`, names its caller and the scopes that methods ask for.`;

/** Types of the details that an error may have. */
const errorDetails = [BadRequestSchema, ErrorInfoSchema, ResourceInfoSchema, RetryInfoSchema];

/** Describes services as OpenAPI 3.1. The same services give the same document. */
export function createDocument({ services, version, ...options }: DocumentOptions): OpenApiDocument {
  const messages = new MessageSchemas(options);
  const callable = services.filter(({ methods }) => methods.length > 0);
  const paths = callable.flatMap(({ methods }) =>
    methods.map((entry) => {
      const { parent, name, input, output } = entry.method;
      const comment = options.commentOf(`${parent.typeName}.${name}`);
      const schemas = { input: messages.request(input), output: messages.answer(output), comment };
      return [`/${parent.typeName}/${name}`, operationsOf(entry, schemas)] as const;
    }),
  );
  const details = errorDetails.map((type) => messages.answer(type));
  return {
    openapi: "3.1.0",
    info: {
      title: "Rollcall",
      version,
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    // Relative to the document: a proxy may put a path in front.
    servers: [{ url: "./" }],
    tags: callable.map(({ service: { typeName } }) => {
      const description = options.commentOf(typeName);
      return { name: typeName, ...(description !== undefined && { description }) };
    }),
    paths: Object.fromEntries(paths),
    components: {
      schemas: { ...messages.all(), ...errorSchemas(details, reasonsOf(options)) },
      responses: errorResponses(),
      parameters,
      headers,
      securitySchemes: {
        [TOKEN]: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "A JWT with `sub`, `exp` and the scopes in `scope`, separated by spaces.",
        },
      },
    },
  };
}

function reasonsOf({ commentOf }: MessageSchemasOptions): string[] {
  const [, ...reasons] = ErrorReasonSchema.values;
  return reasons.map(
    ({ name, localName }) => `\`${localName}\`: ${commentOf(`${ErrorReasonSchema.typeName}.${name}`) ?? ""}`,
  );
}
