import type { Link } from "../../runtime/chain.ts";
import type { Arrival, Member } from "../admission/admission.ts";
import type { Waiting } from "../admission/paced-line.ts";
import type { CallOptions } from "./call-options.ts";
import type { CallForm } from "./forms.ts";

/** A call, as the admission sees it: its progress, and how it is started, refused, or ended in favour of another. */
export abstract class AdmittedCall<Form extends CallForm> implements Arrival {
  abstract readonly isStream: boolean;
  place: Link<Member> | undefined;
  started: Link<Waiting> | undefined;
  protected readonly options: CallOptions<Form>;
  /** Whether the call may read its request: the gate has let it in, and it has waited for its turn. */
  protected hasBegun = false;
  protected isReceived = false;
  protected isDone = false;

  constructor(options: CallOptions<Form>) {
    this.options = options;
  }

  get isCheck(): boolean {
    return this.options.plan.isHealthCheck;
  }

  get connection(): object {
    return this.options.connection;
  }

  timeoutMs(): number | undefined {
    const { form, wire } = this.options;
    return form.parseTimeout(wire).timeoutMs;
  }

  isGone(): boolean {
    return this.options.wire.isClosed;
  }

  isAnswered(): boolean {
    return this.isDone;
  }

  progress(): "receiving" | "working" | "answered" {
    if (this.isDone) return "answered";
    // Before it begins, the call waits for its turn, and its client is not expected to send more.
    return this.isReceived || !this.hasBegun ? "working" : "receiving";
  }

  evict(): void {
    this.options.wire.refuse();
  }

  abstract start(): void;

  refuse(reason: "overloaded" | "expired"): void {
    this.isDone = true;
    this.options.answerRefused(reason);
  }
}
