import type { ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import type { RequestTimeouts } from "../../limits.ts";
import type { DirectChain } from "../../rpc/chain.ts";
import type { MethodPlan } from "../../rpc/method-plan.ts";
import type { CallRecord } from "../../rpc/record/call-record.ts";
import type { Chain } from "../../runtime/chain.ts";
import type { Admission } from "../admission/admission.ts";
import type { ConnectionGuard } from "../port/connection-guard.ts";
import type { CallForm } from "./forms.ts";
import type { Wire } from "./wire.ts";

export interface CallOptions<Form extends CallForm = CallForm> {
  chain: DirectChain;
  /** Open calls; this one is added to them. */
  calls: Chain<Abortable>;
  admission: Admission;
  timeouts: RequestTimeouts;
  plan: MethodPlan;
  form: Form;
  /** Content type of the request without its parameters. */
  mediaType: string;
  verb: string;
  /** Query of the request's target, with its question mark. */
  query: string;
  /** Refuses the call before its gate, for a reason that its carrier found. */
  refusal?: ConnectError | undefined;
  /** Coding of the request's messages. */
  coding: Compression | undefined;
  /** Name of an unknown coding, for which the gate refuses the call. */
  unknownCoding?: string | undefined;
  wire: Wire;
  record: CallRecord;
  guard: ConnectionGuard;
  connection: object;
  /** Headers of the answer for its browser or its connection: names and values in turn. */
  answerHeaders: readonly string[];
  /** Answers a call that was not let in. */
  answerRefused(reason: "overloaded" | "expired"): void;
}

/** Work that can be ended, as at shutdown. */
export interface Abortable {
  abort(error: ConnectError): void;
}
