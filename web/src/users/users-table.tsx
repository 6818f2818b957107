import type { ListUsersResponse } from "@rollcall/gen/user/v1/user";
import type { UseQueryResult } from "@tanstack/react-query";
import { type ComponentType, lazy, Suspense } from "react";
import { describeError } from "../api/errors.ts";
import { Button } from "../ui/button.tsx";
import type { FirstRunProps } from "./first-run.tsx";
import { directionOf, nextOrder, type Order } from "./order.ts";
import { SelectBox } from "./select-box.tsx";
import type { Selection } from "./use-selection.ts";
import type { useExpected } from "./use-users.ts";
import { type RowActions, UserRow } from "./user-row.tsx";

export interface UsersTableProps extends RowActions {
  page: UseQueryResult<ListUsersResponse>;
  /** Users of the page, as they will be after the pending changes. */
  users: ReturnType<typeof useExpected>;
  selection: Selection;
  filter: string;
  order: Order;
  onOrder(order: Order): void;
  /** Ids of users that somebody else has just changed. */
  changedIds: ReadonlySet<string>;
  /** Asks for a new user; undefined, like `onImport`, for people who may only read. */
  onCreate?: () => void;
  /** Asks for a file of users. */
  onImport?: () => void;
  /** Goes to the first page; undefined on that page. */
  onRestart?: () => void;
}

/** Rows that are shown in place of users that are being loaded. There is nothing below them that could move. */
const PLACEHOLDERS = Array.from({ length: 12 }, (_, row) => row);

const Empty = () => <p className="notice card">Nobody is here yet.</p>;
/** Loaded for an empty directory. If that fails, the shorter text is enough. */
const FirstRun = lazy(() =>
  import("./first-run.tsx").then(
    ({ FirstRun }): { default: ComponentType<FirstRunProps> } => ({ default: FirstRun }),
    () => ({ default: Empty }),
  ),
);

/** Shows a page of users, or the reason why there is none. */
export function UsersTable({
  page,
  users,
  selection,
  filter,
  order,
  onOrder,
  changedIds,
  onCreate,
  onImport,
  onRestart,
  ...actions
}: UsersTableProps) {
  const { data, error, isPending, isPlaceholderData, refetch } = page;
  if (error && !data) {
    return (
      <div className="notice card" role="alert">
        <p>The users can't be shown. {describeError(error)}</p>
        <div className="choices">
          <Button onClick={() => void refetch()}>Try again</Button>
          {onRestart && <Button onClick={onRestart}>First page</Button>}
        </div>
      </div>
    );
  }
  const isEmpty = data !== undefined && users.length === 0;
  const isFirstRun = isEmpty && filter === "" && onRestart === undefined;
  const dateField = directionOf(order, "update_time") ? "update_time" : "create_time";
  const columns = [
    ["name", "Name"],
    ["email", "Email"],
    [dateField, dateField === "update_time" ? "Changed" : "Created"],
  ] as const;
  return (
    <>
      {error && (
        <p className="field-error" role="alert">
          This list may be out of date. {describeError(error)}
        </p>
      )}
      {isFirstRun && onCreate && onImport ? (
        <Suspense fallback={<Empty />}>
          <FirstRun onCreate={onCreate} onImport={onImport} />
        </Suspense>
      ) : isEmpty ? (
        <div className="notice card">
          <p>{emptyText(filter, onRestart !== undefined)}</p>
          {onRestart && <Button onClick={onRestart}>First page</Button>}
        </div>
      ) : (
        <table className="users" aria-busy={isPending || isPlaceholderData}>
          <caption className="visually-hidden">Users</caption>
          <thead>
            <tr>
              <th scope="col">
                <SelectBox
                  label="Select all of this page"
                  isOn={users.length > 0 && selection.users.length === users.length}
                  isMixed={selection.users.length > 0 && selection.users.length < users.length}
                  onToggle={selection.toggleAll}
                />
              </th>
              {columns.map(([field, title]) => {
                const direction = directionOf(order, field);
                return (
                  <th key={title} scope="col" aria-sort={direction}>
                    <button type="button" className="sort" onClick={() => onOrder(nextOrder(order, field))}>
                      {title}
                      <span aria-hidden="true">{direction && (direction === "ascending" ? "↑" : "↓")}</span>
                    </button>
                  </th>
                );
              })}
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {isPending &&
              PLACEHOLDERS.map((row) => (
                <tr key={row} className="placeholder">
                  <td colSpan={5}>
                    <span className="visually-hidden">{row === 0 && "Loading…"}</span>
                  </td>
                </tr>
              ))}
            {users.map(({ user, isChanging }) => (
              <UserRow
                key={user.id}
                user={user}
                isChanging={isChanging}
                isSelected={selection.has(user.id)}
                onSelect={(isRange) => selection.toggle(user.id, isRange)}
                isChanged={changedIds.has(user.id)}
                date={dateField === "update_time" ? "updatedAt" : "createdAt"}
                {...actions}
              />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function emptyText(filter: string, isLaterPage: boolean): string {
  if (isLaterPage) return "Nobody is on this page any more.";
  return filter ? `Nobody's name or email has words that start with “${filter}”.` : "Nobody is here yet.";
}
