import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { auth } from "@rollcall/gen/rollcall/options/v1/auth";
import type { ComponentType } from "react";
import { permits } from "./permits.ts";
import { useSession } from "./session.ts";

/** Makes a page that explains which scope is missing to a person whose token does not allow its method. */
export function scopedPage(method: DescMethod, title: string, Page: ComponentType): ComponentType {
  const { caller } = getOption(method, auth);
  return function ScopedPage() {
    const session = useSession();
    // Somebody who signs out leaves the page at once.
    if (!session || permits(session, method)) return <Page />;
    return (
      <section className="notice card">
        <h1>{title}</h1>
        <p>
          This page needs a token with the scope <code>{caller.value}</code>. Yours has{" "}
          {session.scopes.length > 0 ? <code>{session.scopes.join(" ")}</code> : "no scopes"}.
        </p>
        <p>Sign out, and in again with a token that has it.</p>
      </section>
    );
  };
}
