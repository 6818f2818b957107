import { tooLarge } from "../../rpc/call-errors.ts";
import { checkQuery } from "../../rpc/stages/get-request.ts";
import { connectForm, type UnaryForm } from "./forms.ts";
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

/** Call by Connect's GET, whose message stands in the query (connectrpc.com/docs/protocol). */
export class GetCall extends UnaryCall {
  readonly #query = new URLSearchParams(this.options.query);

  protected override checkRequest(): void {
    super.checkRequest();
    checkQuery(this.options.query, this.#query);
  }

  protected override begin(): void {
    const { record, plan, coding } = this.options;
    // A body has no meaning here, and is dropped behind the answer.
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

  protected override end(error?: Parameters<UnaryCall["end"]>[0]): void {
    const { isReceived } = this;
    super.end(error);
    // Else it has dropped the rest itself.
    if (isReceived) this.options.wire.dropRest();
  }
}

function messageOf(query: URLSearchParams): Uint8Array {
  return Buffer.from(query.get("message") ?? "", query.get("base64") === "1" ? "base64" : "utf8");
}
