import type { ConnectError } from "@connectrpc/connect";
import type { MethodPlan } from "../../rpc/method-plan.ts";
import { codingOf } from "../../rpc/stages/content-coding.ts";
import { isRead, refusalOf, verbsOf } from "../../rpc/stages/explain-refusals.ts";
import { mediaTypeOf } from "../../rpc/stages/media-type.ts";
import { pathOf, queryOf } from "../admission/target.ts";
import { isAsciiUrl } from "../fastify/ascii-url.ts";
import { countHeaders } from "../port/raw-headers.ts";
import type { CallOptions } from "./call-options.ts";
import { requestCoding } from "./codings.ts";
import { type UnaryForm, unaryForms } from "./forms.ts";
import { getFormOf } from "./get-call.ts";
import { createRefusalForm, type RefusalForm } from "./refusal.ts";
import { type StreamForm, streamForms } from "./stream-forms.ts";
import type { Wire } from "./wire.ts";

/** HTTP methods that are answered as calls. Others, such as a browser's preflight, are left to Fastify. */
const VERBS = new Set(["POST", "GET", "HEAD", "PUT", "PATCH", "DELETE"]);

const UNCODED = { coding: undefined };

/** Parts of a request that decide how it is carried. */
export interface Requested {
  verb: string | undefined;
  target: string | undefined;
  contentType: string | undefined;
  rawHeaders: readonly string[];
  isHttp1: boolean;
}

/** Method and form of a call. */
export type Route = Pick<CallOptions, "plan" | "mediaType" | "verb" | "query" | "refusal"> & {
  readonly form: UnaryForm | StreamForm | RefusalForm;
  /** Coding of a message in the query; no header names it. */
  readonly codingInQuery?: string | undefined;
};

/**
 * Creates a function that returns the route of a request; undefined for a request that is not a call of these methods.
 */
export function createRouter(plans: ReadonlyMap<string, MethodPlan>): (request: Requested) => Route | undefined {
  return (request) => {
    const { verb = "", target = "", contentType = "", isHttp1, rawHeaders } = request;
    const plan = plans.get(target) ?? plans.get(pathOf(target));
    if (!plan || !VERBS.has(verb) || !isAsciiUrl(target)) return undefined;
    const { methodKind } = plan.method;
    // If there are two content types, Node.js keeps one, and a proxy in front may have used the other.
    const isOneType = countHeaders(rawHeaders, "content-type") < 2;
    const route = { plan, verb, query: queryOf(target) };
    if (isHttp1 && methodKind === "bidi_streaming") return refuse(route, 505, ["connection", "close"]);
    if (verb === "GET" && isRead(plan.method)) return isOneType ? routeGet(route, contentType) : refuse(route, 415);
    if (verb !== "POST") return refuse(route, 405, ["allow", verbsOf(plan.method).join(", ")]);
    const forms: ReadonlyMap<string, UnaryForm | StreamForm> = methodKind === "unary" ? unaryForms : streamForms;
    if (!isOneType) return refuse(route, 415);
    const known = forms.get(contentType);
    if (known) return { plan, verb, query: route.query, form: known, mediaType: contentType };
    const mediaType = mediaTypeOf(contentType) ?? "";
    const form = forms.get(mediaType);
    return form ? { ...route, form, mediaType } : refuse(route, 415);
  };
}

type Target = Pick<Route, "plan" | "query"> & { readonly verb: string };

function routeGet(route: Target, contentType: string): Route {
  const query = new URLSearchParams(route.query);
  const form = getFormOf(query);
  // A GET has no content, but may name the type of the message in its query.
  const isTyped = contentType !== "" && unaryForms.get(mediaTypeOf(contentType) ?? "")?.protocol !== "connect";
  if (!form || isTyped) return refuse(route, 415);
  return { ...route, form, mediaType: "", codingInQuery: query.get("compression") ?? "identity" };
}

function refuse(route: Target, status: 405 | 415 | 505, headers: readonly string[] = []): Route {
  const { plan, verb } = route;
  const form = createRefusalForm({ status, headers, hasBody: verb !== "HEAD" });
  return { ...route, form, mediaType: "", refusal: refusalOf(status, verb, plan.method) as ConnectError };
}

/** Returns the coding of a request's messages, or the name of an unknown one. */
export function codingsOf({ form, codingInQuery }: Route, wire: Wire): Pick<CallOptions, "coding" | "unknownCoding"> {
  // Unlike the header, the query parameter must not be empty.
  if (codingInQuery === "") return { coding: undefined, unknownCoding: "" };
  const name = codingInQuery ?? (form.encodingHeader === "" ? undefined : wire.header(form.encodingHeader));
  if (name === undefined) return UNCODED;
  const coding = requestCoding(name);
  return coding === null ? { coding: undefined, unknownCoding: codingOf(name) } : { coding };
}
