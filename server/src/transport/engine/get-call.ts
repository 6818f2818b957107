import { tooLarge } from "../../rpc/call-errors.ts";
import { checkQuery } from "../../rpc/stages/get-request.ts";
import { entityTagOf, hasTag, READ_HEADERS } from "../../rpc/stages/unchanged-read.ts";
import { addOwn, connectForm, type UnaryForm } from "./forms.ts";
import { NOT_KEPT } from "./refusal.ts";
import { UnaryCall } from "./unary-call.ts";

const proto = connectForm("binary", "application/proto");
const json: UnaryForm = { ...connectForm("json", "application/json"), codecOf: (plan) => plan.json };
const jsonByHand: UnaryForm = { ...json, codecOf: (plan) => plan.jsonByHand };

/** Returns the form that the query of a Connect GET asks for, if it names one. */
export function getFormOf(query: URLSearchParams): UnaryForm | undefined {
  const encoding = query.get("encoding");
  if (encoding === "proto") return proto;
  if (encoding !== "json") return undefined;
  return query.has("connect") ? json : jsonByHand;
}

/** Call by Connect's GET, whose message is in the query (connectrpc.com/docs/protocol). */
export class GetCall extends UnaryCall {
  readonly #query = new URLSearchParams(this.options.query);
  /** Headers that control caching of the answer. */
  #cacheHeaders: readonly string[] = NOT_KEPT;

  protected override checkRequest(): void {
    super.checkRequest();
    checkQuery(this.options.query, this.#query);
  }

  protected override begin(): void {
    const { record, plan, coding } = this.options;
    // A body has no meaning here. It is dropped after the answer.
    this.isReceived = true;
    record.isReadingRequest = true;
    try {
      const message = messageOf(this.#query);
      if (message.byteLength > plan.maxBytes) throw tooLarge(message.byteLength, plan.maxBytes);
      this.open(message, coding !== undefined);
    } catch (error) {
      this.failInProtocol(error);
    }
  }

  protected override answerUnchanged(bytes: Uint8Array): boolean {
    const { context } = this;
    const { wire } = this.options;
    const own = context?.ownHeader;
    const tag = own?.get("etag") ?? entityTagOf(bytes);
    const headers = Object.entries({ ...READ_HEADERS, ...(tag !== undefined && { etag: tag }) });
    this.#cacheHeaders = headers.filter(([name]) => !own?.has(name)).flat();
    if (tag === undefined || !hasTag(wire.header("if-none-match"), tag)) return false;
    if (this.isOver()) return true;
    const sent = this.headers();
    addOwn(sent, context);
    wire.respondAndEnd(304, sent);
    this.end();
    return true;
  }

  protected override headers(): string[] {
    return [...super.headers(), ...this.#cacheHeaders];
  }

  protected override writeError(error: Parameters<UnaryCall["writeError"]>[0]): void {
    this.#cacheHeaders = NOT_KEPT;
    super.writeError(error);
  }

  protected override end(error?: Parameters<UnaryCall["end"]>[0]): void {
    const { isReceived } = this;
    super.end(error);
    // If the request is not complete, the call has already dropped the rest.
    if (isReceived) this.options.wire.dropRest();
  }
}

function messageOf(query: URLSearchParams): Uint8Array {
  return Buffer.from(query.get("message") ?? "", query.get("base64") === "1" ? "base64" : "utf8");
}
