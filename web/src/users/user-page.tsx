import "./users.css";
import "./user-page.css";
import { UserNotFoundError } from "@rollcall/client";
import type { User } from "@rollcall/gen/user/v1/user";
import { QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";
import { describeError } from "../api/errors.ts";
import { queryClient } from "../api/query-client.ts";
import { Breakable } from "../ui/breakable.tsx";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { Link, usePath } from "../ui/location.tsx";
import { Time } from "../ui/time.tsx";
import { History } from "./history.tsx";
import { LiveSign } from "./live-sign.tsx";
import { NewsLine } from "./news-line.tsx";
import { useUser, useUserLive } from "./use-user.ts";
import { useUserActions } from "./use-user-actions.tsx";
import { useExpected } from "./use-users.ts";
import { idInPath } from "./user-path.ts";

/** Page of one user: its data, and its history, which remains after the user is removed. */
export function UserPage() {
  return (
    <QueryClientProvider client={queryClient}>
      <Details id={idInPath(usePath())} />
    </QueryClientProvider>
  );
}

function Details({ id }: { id: string }) {
  const { data, error, isPending, refetch } = useUser(id);
  const isGone = error instanceof UserNotFoundError;
  const heading = useRef<HTMLHeadingElement>(null);
  const live = useUserLive(id, data?.email);
  const [expected] = useExpected(data && !isGone ? [data] : []);
  const user = expected?.user;
  const { canWrite, news, ask, dialog } = useUserActions({
    view: id,
    latestOf: () => (isGone ? "removed" : data),
    focusAfter: heading,
  });
  const title = user?.name ?? (isPending ? "User" : isGone || data ? "No such user" : "User");
  useEffect(() => {
    document.title = `${title} · Rollcall`;
  }, [title]);

  return (
    <section className="directory user-page">
      <p className="back">
        <Link href="/users">← Users</Link>
      </p>
      <div className="heading">
        <h1 ref={heading} tabIndex={-1}>
          <Breakable text={title} />
        </h1>
        <LiveSign state={live} />
        {canWrite && user && data && (
          <div className="choices">
            <Button isOff={expected?.isChanging ?? false} onClick={() => void ask({ dialog: "edit", user: data })}>
              Edit…
            </Button>
            <Button isOff={expected?.isChanging ?? false} onClick={() => void ask({ dialog: "delete", user: data })}>
              Delete…
            </Button>
          </div>
        )}
      </div>
      {error && !isGone && (
        <div className="notice card" role="alert">
          <p>
            {data ? "This may be out of date." : "The user can't be shown."} {describeError(error)}
          </p>
          <Button onClick={() => void refetch()}>Try again</Button>
        </div>
      )}
      {isPending && <p role="status">Loading…</p>}
      {user && <Facts user={user} />}
      {isGone && <p className="lead">Nobody in the directory has the id {id}.</p>}
      <History id={id} />
      <div className="foot">
        <NewsLine news={news} />
      </div>
      {dialog}
    </section>
  );
}

function Facts({ user: { id, email, createdAt, updatedAt, etag } }: { user: User }) {
  return (
    <dl className="card user-facts">
      <Fact name="Email">
        <Breakable text={email} /> <CopyButton text={email} label="Copy the email" />
      </Fact>
      <Fact name="Id">
        <code>
          <Breakable text={id} />
        </code>{" "}
        <CopyButton text={id} label="Copy the id" />
      </Fact>
      <Fact name="Created">
        <Time at={createdAt} />
      </Fact>
      <Fact name="Changed">
        <Time at={updatedAt} />
      </Fact>
      <Fact name="Etag">
        <code>{etag}</code>
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
