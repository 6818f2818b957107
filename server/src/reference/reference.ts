import type { DescMethod } from "@bufbuild/protobuf";
import { comments as ownComments } from "@rollcall/gen/comments";
import packageJson from "../../package.json" with { type: "json" };
import { ANY_TOKEN, type Permission } from "../rpc/auth/permissions.ts";
import { findMissing } from "../rpc/interceptors/validation.ts";
import { renderDocs } from "./docs/page.ts";
import { DOCS_STYLE } from "./docs/style.ts";
import { renderGuide } from "./guide.ts";
import { createDocument } from "./openapi/create-document.ts";
import type { Access, CallableService } from "./openapi/document.ts";

export interface ReferenceOptions {
  /** All mounted methods, in the order in which they are shown. */
  methods: readonly DescMethod[];
  /** Returns the permission that a method's callers need. Undefined for a denied method, which is left out. */
  permissionOf(method: DescMethod): Permission | undefined;
  /** Comments of further contracts, by the full names of their subjects. */
  comments?: Readonly<Record<string, string>> | undefined;
  /** Whether the server serves the web app, to which the page then leads. Default false. */
  hasApp?: boolean;
}

/** Texts that describe the services, for programs and for people. */
export interface Reference {
  /** Returns OpenAPI 3.1, as JSON. */
  openApi(): string;
  /** Returns the same as a page of HTML without scripts. */
  page(): string;
  /** Returns the style of the page. */
  style(): string;
  /** Returns a short guide in Markdown (llmstxt.org) for the server at this address. */
  guide(baseUrl: string): string;
}

/** Describes the mounted services. This and the page take some tens of milliseconds each, so make them once. */
export function createReference({ methods, permissionOf, comments = {}, hasApp = false }: ReferenceOptions): Reference {
  const services = callableServices(methods, permissionOf);
  const document = createDocument({
    services,
    version: packageJson.version,
    commentOf: (name) => comments[name] ?? ownComments[name],
    missingIn: findMissing,
  });
  return {
    openApi: () => `${JSON.stringify(document, undefined, 1)}\n`,
    page: () => renderDocs(document, hasApp),
    style: () => DOCS_STYLE,
    guide: (baseUrl) => renderGuide(document, baseUrl),
  };
}

function callableServices(
  methods: readonly DescMethod[],
  permissionOf: ReferenceOptions["permissionOf"],
): CallableService[] {
  const services = [...new Set(methods.map(({ parent }) => parent))];
  return services.map((service) => ({
    service,
    methods: methods.flatMap((method) => {
      const permission = method.parent === service ? permissionOf(method) : undefined;
      return permission === undefined ? [] : [{ method, access: accessOf(permission) }];
    }),
  }));
}

function accessOf(permission: Permission): Access {
  if (permission === "public") return { isOpen: true };
  return { isOpen: false, scopes: permission === ANY_TOKEN ? [] : [permission] };
}
