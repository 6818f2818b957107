import type { DescMethod } from "@bufbuild/protobuf";
import type { ComponentType } from "react";
import { permits, scopeOf } from "./permits.ts";
import { useSession } from "./session.ts";

/** Makes a page that, if a person's token does not allow its method, explains which scope is missing. */
export function scopedPage(method: DescMethod, title: string, Page: ComponentType): ComponentType {
  return function ScopedPage() {
    const session = useSession();
    // A person who signs out leaves the page immediately.
    if (!session || permits(session, method)) return <Page />;
    return (
      <section className="notice card">
        <h1>{title}</h1>
        <p>
          This page needs a token with the scope <code>{scopeOf(method)}</code>. Yours has{" "}
          {session.scopes.length > 0 ? <code>{session.scopes.join(" ")}</code> : "no scopes"}.
        </p>
        <p>Sign out, and in again with a token that has it.</p>
      </section>
    );
  };
}
