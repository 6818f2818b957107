import type { User } from "@rollcall/gen/user/v1/user";
import { lazy, Suspense, useRef, useState } from "react";
import { Button } from "../components/button.tsx";
import { describeError } from "../errors.ts";
import { useSession } from "../session.ts";
import { SearchField } from "./search-field.tsx";
import { type UserChange, useDirectory, useFailedChange, useUsersPage } from "./use-users.ts";
import { PAGE_SIZES, useView } from "./use-view.ts";
import { UsersTable } from "./users-table.tsx";

const loadDialogs = () => import("./dialogs.tsx");
const UserFormDialog = lazy(async () => ({ default: (await loadDialogs()).UserFormDialog }));
const DeleteDialog = lazy(async () => ({ default: (await loadDialogs()).DeleteDialog }));

type Asked = { readonly dialog: "create" } | { readonly dialog: "edit" | "delete"; readonly user: User };

/** Search, pages, and the table, with the dialogs that change it. */
export function Directory() {
  const [{ filter, pageSize, pageTokens }, show] = useView();
  const [asked, setAsked] = useState<Asked>();
  const [news, setNews] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const page = useUsersPage({ filter, pageSize, pageToken: pageTokens.at(-1) ?? "" });
  const directory = useDirectory();
  const failed = useFailedChange();
  const canWrite = useSession()?.scopes.includes("users:write") ?? false;
  const next = page.data?.nextPageToken ?? "";
  const isFirst = pageTokens.length === 1;
  const isLast = next === "" || page.isPlaceholderData;

  const change = async (wanted: UserChange) => {
    setAsked(undefined);
    setNews(`Saving ${wanted.draft.name}…`);
    try {
      await directory.change(wanted);
      setNews(`${wanted.draft.name} was changed.`);
    } catch {
      // The form comes back, and says why.
      setNews(`${wanted.user.name} was not changed.`);
    }
  };
  const remove = async (user: User) => {
    setAsked(undefined);
    setNews(`Deleting ${user.name}…`);
    try {
      await directory.remove(user);
      setNews(`${user.name} was deleted.`);
    } catch (error) {
      setNews(`${user.name} was not deleted. ${describeError(error)}`);
    }
  };

  return (
    <section className="directory">
      <div className="heading">
        <h1 ref={heading} tabIndex={-1}>
          Users
        </h1>
        {canWrite && (
          <Button className="primary" onClick={() => setAsked({ dialog: "create" })} onPointerEnter={loadDialogs}>
            New user
          </Button>
        )}
      </div>
      <div className="toolbar">
        <SearchField value={filter} onSearch={(text) => show({ filter: text })} />
        <div className="field">
          <label htmlFor="page-size">Per page</label>
          <select id="page-size" value={pageSize} onChange={(event) => show({ pageSize: Number(event.target.value) })}>
            {PAGE_SIZES.map((size) => (
              <option key={size}>{size}</option>
            ))}
          </select>
        </div>
        <nav className="pager" aria-label="Pages of users">
          <Button isOff={isFirst} onClick={() => show({ pageTokens: pageTokens.slice(0, -1) })}>
            Previous
          </Button>
          <span>Page {pageTokens.length}</span>
          <Button isOff={isLast} onClick={() => show({ pageTokens: [...pageTokens, next] })}>
            Next
          </Button>
        </nav>
      </div>
      <p className="status news" role="status">
        {news}
      </p>
      <UsersTable
        page={page}
        pageSize={pageSize}
        filter={filter}
        {...(canWrite && {
          onEdit: (user: User) => setAsked({ dialog: "edit", user }),
          onDelete: (user: User) => setAsked({ dialog: "delete", user }),
        })}
        {...(!isFirst && { onRestart: () => show({ pageTokens: [""] }) })}
      />
      <Suspense>
        {asked?.dialog === "delete" && (
          <DeleteDialog
            user={asked.user}
            focusAfter={heading}
            onClose={() => setAsked(undefined)}
            onConfirm={() => void remove(asked.user)}
          />
        )}
        {(asked?.dialog === "create" || asked?.dialog === "edit") && (
          <UserFormDialog
            {...(asked.dialog === "edit" && { user: asked.user })}
            onChange={(wanted) => void change(wanted)}
            onClose={(outcome) => {
              setAsked(undefined);
              if (outcome) setNews(outcome);
            }}
          />
        )}
        {!asked && failed && (
          <UserFormDialog
            key={failed.id}
            user={failed.change.user}
            failed={failed}
            onChange={(wanted) => {
              failed.forget();
              void change(wanted);
            }}
            onClose={(outcome) => {
              failed.forget();
              if (outcome) setNews(outcome);
            }}
          />
        )}
      </Suspense>
    </section>
  );
}
