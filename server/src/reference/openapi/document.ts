import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { Schema } from "./schema.ts";

/** OpenAPI document, as far as it is used here (spec.openapis.org/oas/v3.1). */
export interface OpenApiDocument {
  readonly openapi: "3.1.0";
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly description: string;
    readonly license?: { readonly name: string; readonly identifier: string };
  };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, PathItem>>;
  readonly components: Components;
}

export interface PathItem {
  readonly get?: Operation;
  readonly post: Operation;
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly deprecated?: boolean;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly (Parameter | Reference)[];
  readonly requestBody?: { readonly required: true; readonly description?: string; readonly content: Content };
  readonly responses: Readonly<Record<string, Response | Reference>>;
}

export interface Reference {
  readonly $ref: string;
}

export interface Parameter {
  readonly name: string;
  readonly in: "query" | "header";
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
  readonly content?: Content;
}

export type Content = Readonly<Record<string, { readonly schema: Schema }>>;

export interface Response {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Reference | { readonly description: string; readonly schema: Schema }>>;
  readonly content?: Content;
}

export interface Components {
  readonly schemas: Readonly<Record<string, Schema>>;
  readonly responses: Readonly<Record<string, Response>>;
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly headers: Readonly<Record<string, { readonly description: string; readonly schema: Schema }>>;
  readonly securitySchemes: Readonly<Record<string, unknown>>;
}

/** Needs of a method's callers: nothing, a token, or a token with a scope. */
export type Access = { readonly isOpen: true } | { readonly isOpen: false; readonly scopes: readonly string[] };

/** A method that can be called, and by whom. */
export interface CallableMethod {
  readonly method: DescMethod;
  readonly access: Access;
}

/** A service with those of its methods that can be called. */
export interface CallableService {
  readonly service: DescService;
  readonly methods: readonly CallableMethod[];
}
