import { StaleUserError } from "@rollcall/client";
import { type User, UserService } from "@rollcall/gen/user/v1/user";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { useHistoryState, useSearch } from "wouter/use-browser-location";
import { describeError, isOutcomeUnknown } from "../api/errors.ts";
import { permits } from "../session/permits.ts";
import { useSession } from "../session/session.ts";
import { announce } from "../ui/announcer.tsx";
import { Button } from "../ui/button.tsx";
import { copyText } from "../ui/copy-text.ts";
import { navigate, usePath } from "../ui/location.tsx";
import { useFirstSign } from "../ui/use-first-sign.ts";
import { wantsNewUser } from "./new-user-state.ts";
import { Pager } from "./pager.tsx";
import { Toolbar } from "./toolbar.tsx";
import { totalText } from "./total.ts";
import { type Live, useLive } from "./use-live.ts";
import { type News, NO_NEWS, useNews } from "./use-news.ts";
import { type UserChange, useDirectory, useFailedChange, useUsersPage } from "./use-users.ts";
import { useView } from "./use-view.ts";
import { UsersTable } from "./users-table.tsx";

const loadDialogs = () => import("./dialogs.tsx");
const preloadDialogs = () => void loadDialogs().catch(() => {});
type Dialogs = Awaited<ReturnType<typeof loadDialogs>>;

type Asked =
  | { readonly dialog: "create" }
  | {
      readonly dialog: "edit" | "delete" | "history";
      readonly user: User;
      readonly known?: User | "removed" | undefined;
    };

const { createUser, updateUser, deleteUser } = UserService.method;
const WRITES = [createUser, updateUser, deleteUser];

/** Returns what has become of a user since a dialog about it was opened. */
function changeSince({ latest }: Live, asked: Exclude<Asked, { dialog: "create" }>): User | "removed" | undefined {
  const now = latest.get(asked.user.id);
  return now === asked.known ? undefined : now;
}

/** Directory of users: search, pages and table, and the dialogs that change it. */
export function Directory() {
  const [view, { show, turnTo }] = useView();
  const { filter, order, pageSize, pageNumber, pageTokens } = view;
  const [asked, setAsked] = useState<Asked>();
  const [dialogs, setDialogs] = useState<Dialogs>();
  const [news, setNews] = useNews(useSearch());
  const heading = useRef<HTMLHeadingElement>(null);
  const page = useUsersPage({ filter, orderBy: order, pageSize, pageToken: pageTokens.at(-1) ?? "" });
  const live = useLive(filter);
  const directory = useDirectory();
  const failed = useFailedChange();
  const session = useSession();
  const canWrite = WRITES.every((method) => permits(session, method));
  const next = page.isPlaceholderData ? "" : (page.data?.nextPageToken ?? "");
  const isFirst = pageNumber === 1;
  const pager = { view, next, turnTo };

  const count = page.isPlaceholderData ? undefined : page.data?.users.length;
  useEffect(() => {
    if (count !== undefined) announce(`Page ${pageNumber}, ${count === 1 ? "1 user" : `${count} users`}`);
  }, [pageNumber, count]);

  useFirstSign(preloadDialogs);
  const hasFailed = failed !== undefined;
  useEffect(() => {
    if (hasFailed) loadDialogs().then(setDialogs, () => {});
  }, [hasFailed]);

  const ask = async (next: Asked) => {
    setNews(NO_NEWS);
    try {
      setDialogs(await loadDialogs());
      setAsked(next);
    } catch {
      setNews({
        text: "This part of the app can't be loaded. Load the page again once the server is back.",
        isProblem: true,
      });
    }
  };
  const path = usePath();
  const isNewUserWanted = wantsNewUser(useHistoryState());
  const askForNewUser = useEffectEvent(() => {
    // Once: a reload does not ask again.
    navigate(path, { replace: true });
    if (canWrite) void ask({ dialog: "create" });
  });
  useEffect(() => {
    if (isNewUserWanted) askForNewUser();
  }, [isNewUserWanted]);
  const close = (outcome: News = NO_NEWS) => {
    setAsked(undefined);
    setNews(outcome);
  };
  const change = async (wanted: UserChange) => {
    close({ text: `Saving ${wanted.draft.name}…`, isOngoing: true });
    try {
      await directory.change(wanted);
      setNews({ text: `${wanted.draft.name} was changed.` });
    } catch (error) {
      // The form opens again and says why; for a stale user, it shows both versions.
      const { name } = wanted.user;
      const text = isOutcomeUnknown(error)
        ? `It is not known whether ${name} was changed.`
        : `${name} was not changed.`;
      setNews(error instanceof StaleUserError ? NO_NEWS : { text, isProblem: true });
    }
  };
  const remove = async (user: User) => {
    close({ text: `Deleting ${user.name}…`, isOngoing: true });
    try {
      await directory.remove(user);
      setNews({ text: `${user.name} was deleted.` });
    } catch (error) {
      const outcome = isOutcomeUnknown(error)
        ? `It is not known whether ${user.name} was deleted.`
        : `${user.name} was not deleted.`;
      setNews({ text: `${outcome} ${describeError(error)}`, isProblem: true });
    }
  };

  const copyId = async ({ id, name }: User) =>
    setNews(
      (await copyText(id))
        ? { text: `The id of ${name} was copied.` }
        : { text: `Not copied. The id of ${name} is ${id}.`, isProblem: true },
    );

  return (
    <section className="directory">
      <div className="heading">
        <h1 ref={heading} tabIndex={-1}>
          Users
        </h1>
        {live.state !== "off" && <span className="live">{live.state === "live" ? "Live" : "Catching up…"}</span>}
        {canWrite && (
          <Button className="primary" onClick={() => void ask({ dialog: "create" })}>
            New user
          </Button>
        )}
      </div>
      <Toolbar view={view} show={show} />
      <div className="bar">
        <p className="total">{page.data && totalText(page.data)}</p>
        <Pager label="Pages of users" {...pager} />
      </div>
      <UsersTable
        page={page}
        filter={filter}
        order={order}
        onOrder={(order) => show({ order })}
        changedIds={live.changedIds}
        onShowHistory={(user) => void ask({ dialog: "history", user })}
        onCopyId={(user) => void copyId(user)}
        {...(canWrite && {
          onCreate: () => void ask({ dialog: "create" }),
          onEdit: (user: User) => void ask({ dialog: "edit", user, known: live.latest.get(user.id) }),
          onDelete: (user: User) => void ask({ dialog: "delete", user }),
        })}
        {...(!isFirst && {
          onRestart: () => {
            turnTo([""]);
            // The button that had the focus disappears.
            heading.current?.focus();
          },
        })}
      />
      {!(isFirst && next === "") && (
        <div className="bar">
          <Pager label="Pages of users, below them" {...pager} />
        </div>
      )}
      <p className="news" data-problem={news.isProblem} role="status">
        {news.text}
        {news.createdEmail && filter !== news.createdEmail && (
          <button type="button" className="quiet" onClick={() => show({ filter: news.createdEmail ?? "" })}>
            Show
          </button>
        )}
      </p>
      {dialogs && asked?.dialog === "delete" && (
        <dialogs.DeleteDialog
          user={asked.user}
          focusAfter={heading}
          onClose={close}
          onConfirm={() => void remove(asked.user)}
        />
      )}
      {dialogs && asked?.dialog === "history" && <dialogs.HistoryDialog user={asked.user} onClose={close} />}
      {dialogs && (asked?.dialog === "create" || asked?.dialog === "edit") && (
        <dialogs.UserFormDialog
          {...(asked.dialog === "edit" && { user: asked.user, now: changeSince(live, asked) })}
          onChange={(wanted) => void change(wanted)}
          onClose={close}
        />
      )}
      {dialogs && !asked && failed && (
        <dialogs.UserFormDialog
          key={failed.id}
          user={failed.change.user}
          failed={failed}
          onChange={(wanted) => {
            failed.forget();
            void change(wanted);
          }}
          onClose={(outcome) => {
            failed.forget();
            close(outcome);
          }}
        />
      )}
    </section>
  );
}
