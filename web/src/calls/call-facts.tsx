import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { CallSnapshot, Field } from "./call-record.ts";

/** Kinds of methods, in words. */
export const KINDS = {
  unary: "unary",
  server_streaming: "server streaming",
  client_streaming: "client streaming",
  bidi_streaming: "bidirectional streaming",
} as const;

export function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function Fields({ title, fields = [] }: { title: string; fields?: readonly Field[] | undefined }) {
  return (
    <details className="fields">
      <summary>
        {title} <span className="count">{fields.length}</span>
      </summary>
      <dl>
        {fields.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

export function stateOf(snapshot: CallSnapshot | undefined): string {
  if (!snapshot) return "not begun";
  if (snapshot.state === "running") return "running";
  return snapshot.error ? codeToString(snapshot.error.code) : "ok";
}
