import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Call } from "./make-call.ts";
import type { Answer } from "./send-call.ts";

const FILE = join(import.meta.dirname, "carriers-corpus.jsonl");
/** Longest call that is worth keeping, in characters of its line. */
const MAX_LINE_LENGTH = 1_000;

/** Returns a call as a line of the corpus. */
export function toLine({ pieces, ...call }: Call): string {
  return JSON.stringify({ ...call, pieces: pieces.map((piece) => piece.toString("base64")) });
}

/** Returns the recorded calls: those that once had different answers, and one for each kind of answer. */
export function readCorpus(): Call[] {
  const lines = readFileSync(FILE, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => {
    const { pieces, ...call } = JSON.parse(line) as Omit<Call, "pieces"> & { pieces: string[] };
    return { ...call, pieces: pieces.map((piece) => Buffer.from(piece, "base64")) };
  });
}

/** Collects calls with kinds of answers that the corpus does not have, and adds them to it. */
export class NewKinds {
  readonly #kinds = new Set<string>();
  readonly #lines: string[] = [];

  /** Records the kind of a recorded call's answer. */
  know(call: Call, answer: Answer): void {
    this.#kinds.add(kindOf(call, answer));
  }

  /** Collects a call if its kind is new and its line is short. */
  add(call: Call, answer: Answer): void {
    const kind = kindOf(call, answer);
    const line = toLine(call);
    if (this.#kinds.has(kind) || line.length > MAX_LINE_LENGTH) return;
    this.#kinds.add(kind);
    this.#lines.push(`${line}\n`);
  }

  /** Appends the collected calls to the corpus. */
  write(): void {
    appendFileSync(FILE, this.#lines.join(""));
  }
}

/** Returns the properties that define the kind of an answer. Random values are omitted. */
function kindOf({ verb }: Call, { status, type, fields, envelopes }: Answer): string {
  const grpcMessage = fields["grpc-message"];
  const error = envelopes.find((text) => text.includes('"code"')) ?? "";
  const message = /"message":"[^"]*"/.exec(error)?.[0] ?? String(grpcMessage ?? "");
  const words = message.replaceAll(/\d+/g, "0").slice(0, 30);
  return JSON.stringify([verb === "GET", status, String(type).replace(/\+.*/, ""), words]);
}
