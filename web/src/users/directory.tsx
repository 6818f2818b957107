import { type ComponentType, useEffect, useEffectEvent, useRef, useState } from "react";
import { useHistoryState, useSearch } from "wouter/use-browser-location";
import { announce } from "../ui/announcer.tsx";
import { Button } from "../ui/button.tsx";
import { navigate, usePath } from "../ui/location.tsx";
import { MenuButton } from "../ui/menu-button.tsx";
import type { ListCallProps, Recorder } from "./list-call.tsx";
import { LiveSign } from "./live-sign.tsx";
import { wantsNewUser } from "./new-user-state.ts";
import { NewsLine } from "./news-line.tsx";
import { Pager } from "./pager.tsx";
import { SelectionBar } from "./selection-bar.tsx";
import { Toolbar } from "./toolbar.tsx";
import { totalText } from "./total.ts";
import { useLive } from "./use-live.ts";
import { useSelection } from "./use-selection.ts";
import { NOT_LOADED, useUserActions } from "./use-user-actions.tsx";
import { useExpected, useUsersPage } from "./use-users.ts";
import { useView } from "./use-view.ts";
import { UsersTable } from "./users-table.tsx";

/** Directory of users: search, pages and table, and the actions that change it. */
export function Directory() {
  const [view, { show, turnTo }] = useView();
  const { filter, order, pageSize, pageNumber, pageTokens } = view;
  const heading = useRef<HTMLHeadingElement>(null);
  const recorder = useRef<Recorder>(undefined);
  const request = { filter, orderBy: order, pageSize, pageToken: pageTokens.at(-1) ?? "" };
  const page = useUsersPage(request, () => recorder.current?.());
  const live = useLive(filter);
  const address = useSearch();
  const users = useExpected(page.data?.users ?? []);
  const selection = useSelection(
    users.map(({ user }) => user),
    address,
  );
  const { canWrite, news, setNews, ask, removeMany, copyId, copyEmails, dialog } = useUserActions({
    view: address,
    latestOf: (id) => live.latest.get(id),
    focusAfter: heading,
  });
  const next = page.isPlaceholderData ? "" : (page.data?.nextPageToken ?? "");
  const isFirst = pageNumber === 1;
  const pager = { view, next, turnTo };

  const count = page.isPlaceholderData ? undefined : page.data?.users.length;
  useEffect(() => {
    if (count !== undefined) announce(`Page ${pageNumber}, ${count === 1 ? "1 user" : `${count} users`}`);
  }, [pageNumber, count]);

  const [ListCall, setListCall] = useState<ComponentType<ListCallProps>>();
  const toggleCall = async () => {
    if (ListCall) return setListCall(undefined);
    const loaded = await import("./list-call.tsx").catch(() => setNews(NOT_LOADED));
    setListCall(() => loaded?.ListCall);
  };
  const path = usePath();
  const isNewUserWanted = wantsNewUser(useHistoryState());
  const askForNewUser = useEffectEvent(() => {
    // Replace the state, so that a reload does not ask again.
    navigate(path, { replace: true });
    if (canWrite) void ask({ dialog: "create" });
  });
  useEffect(() => {
    if (isNewUserWanted) askForNewUser();
  }, [isNewUserWanted]);

  return (
    <div className={ListCall && "with-panel"}>
      <section className="directory">
        <div className="heading">
          <h1 ref={heading} tabIndex={-1}>
            Users
          </h1>
          <LiveSign state={live.state} />
          {canWrite && (
            <Button className="primary" onClick={() => void ask({ dialog: "create" })}>
              New user
            </Button>
          )}
          <MenuButton
            label="More"
            actions={[
              ...(canWrite ? [{ label: "Import…", run: () => void ask({ dialog: "import" }) }] : []),
              { label: "Export…", run: () => void ask({ dialog: "export", filter }) },
              { label: ListCall ? "Hide the call" : "Show the call", run: () => void toggleCall() },
            ]}
          />
        </div>
        <Toolbar view={view} show={show} />
        <div className="bar">
          <p className="total">{page.data && totalText(page.data)}</p>
          <Pager label="Pages of users" {...pager} />
        </div>
        <UsersTable
          page={page}
          users={users}
          selection={selection}
          filter={filter}
          order={order}
          onOrder={(order) => show({ order })}
          changedIds={live.changedIds}
          onCopyId={(user) => void copyId(user)}
          {...(canWrite && {
            onCreate: () => void ask({ dialog: "create" }),
            onImport: () => void ask({ dialog: "import" }),
            onEdit: (user) => void ask({ dialog: "edit", user }),
            onDelete: (user) => void ask({ dialog: "delete", user }),
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
        <div className="foot">
          <NewsLine news={news}>
            {news.createdEmail && filter !== news.createdEmail && (
              <button type="button" className="quiet" onClick={() => show({ filter: news.createdEmail ?? "" })}>
                Show
              </button>
            )}
          </NewsLine>
          {selection.users.length > 0 && (
            <SelectionBar
              selection={selection}
              onCopyEmails={() => void copyEmails(selection.users)}
              {...(canWrite && {
                onDelete: () => {
                  void removeMany(selection.users);
                  selection.clear();
                  // The button that had the focus disappears.
                  heading.current?.focus();
                },
              })}
            />
          )}
        </div>
        {dialog}
      </section>
      {ListCall && <ListCall request={request} recorder={recorder} onRepeat={() => void page.refetch()} />}
    </div>
  );
}
