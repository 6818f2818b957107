import type { User } from "@rollcall/gen/user/v1/user";
import { lazy, Suspense, useDeferredValue, useState } from "react";
import { describeError } from "../errors.ts";
import { useSession } from "../session.ts";
import { useUserChanges, useUsersPage } from "./use-users.ts";
import { UsersTable } from "./users-table.tsx";

const loadDialogs = () => import("./dialogs.tsx");
const UserFormDialog = lazy(async () => ({ default: (await loadDialogs()).UserFormDialog }));
const DeleteDialog = lazy(async () => ({ default: (await loadDialogs()).DeleteDialog }));

const PAGE_SIZES = [10, 25, 100];

type Open = { readonly dialog: "create" } | { readonly dialog: "edit" | "delete"; readonly user: User };

/** Search, pages, and the table, with the dialogs that change it. */
export function Directory() {
  const [filter, setFilter] = useState("");
  const [pageSize, setPageSize] = useState(PAGE_SIZES[0] as number);
  /** The tokens of the pages up to this one: keyset pages know only the way on. */
  const [pageTokens, setPageTokens] = useState<readonly string[]>([""]);
  const [open, setOpen] = useState<Open>();
  const [news, setNews] = useState("");
  const request = useDeferredValue({ filter: filter.trim(), pageSize, pageToken: pageTokens.at(-1) ?? "" });
  const page = useUsersPage(request);
  const { remove } = useUserChanges();
  const canWrite = useSession()?.scopes.includes("users:write") ?? false;
  const next = page.data?.nextPageToken ?? "";
  const restart = () => setPageTokens([""]);

  const confirmDelete = (user: User) => {
    setNews("");
    remove.mutate(
      { id: user.id, etag: user.etag },
      { onSuccess: () => setNews(`${user.name} was deleted.`), onError: (error) => setNews(notDeleted(user, error)) },
    );
  };

  return (
    <section className="directory">
      <div className="heading">
        <h1>Users</h1>
        {canWrite && (
          <button
            type="button"
            className="primary"
            onClick={() => setOpen({ dialog: "create" })}
            onPointerEnter={loadDialogs}
          >
            New user
          </button>
        )}
      </div>
      <div className="toolbar">
        <div className="field search">
          <label htmlFor="filter">Search by the start of a name or e-mail</label>
          <input
            id="filter"
            type="search"
            value={filter}
            maxLength={254}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => {
              setFilter(event.target.value);
              restart();
            }}
          />
        </div>
        <div className="field">
          <label htmlFor="page-size">Per page</label>
          <select
            id="page-size"
            value={pageSize}
            onChange={(event) => {
              setPageSize(Number(event.target.value));
              restart();
            }}
          >
            {PAGE_SIZES.map((size) => (
              <option key={size}>{size}</option>
            ))}
          </select>
        </div>
        <nav className="pager" aria-label="Pages of users">
          <button
            type="button"
            disabled={pageTokens.length === 1}
            onClick={() => setPageTokens(pageTokens.slice(0, -1))}
          >
            Previous
          </button>
          <span>Page {pageTokens.length}</span>
          <button
            type="button"
            disabled={next === "" || page.isPlaceholderData}
            onClick={() => setPageTokens([...pageTokens, next])}
          >
            Next
          </button>
        </nav>
      </div>
      <p className="status news" role="status">
        {news}
      </p>
      <UsersTable
        page={page}
        pageSize={pageSize}
        filter={request.filter}
        {...(canWrite && {
          onEdit: (user: User) => setOpen({ dialog: "edit", user }),
          onDelete: (user: User) => setOpen({ dialog: "delete", user }),
        })}
      />
      <Suspense>
        {open?.dialog === "delete" && (
          <DeleteDialog
            user={open.user}
            onClose={() => setOpen(undefined)}
            onConfirm={() => {
              setOpen(undefined);
              confirmDelete(open.user);
            }}
          />
        )}
        {(open?.dialog === "create" || open?.dialog === "edit") && (
          <UserFormDialog
            {...(open.dialog === "edit" && { user: open.user })}
            onClose={(outcome) => {
              setOpen(undefined);
              if (outcome) setNews(outcome);
            }}
          />
        )}
      </Suspense>
    </section>
  );
}

function notDeleted(user: User, error: unknown): string {
  return `${user.name} was not deleted. ${describeError(error)}`;
}
